//! The words that the life of a document is told with.

use lgsp_types::ReasonCode;

macro_rules! named {
    ($(#[$doc:meta])* $type:ident: $($(#[$each:meta])* $name:ident = $text:literal),+ $(,)?) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $type {
            $($(#[$each])* $name,)+
        }

        impl $type {
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As rows, JSON and people have it.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }

            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.name() == name)
            }
        }
    };
}

named! {
    /// The status codes that are known. Source: QCVN 102:2016/BTTTT.
    StatusCode:
    /// Đã đến.
    Arrived = "01",
    /// Từ chối tiếp nhận.
    Refused = "02",
    /// Đã tiếp nhận.
    Registered = "03",
    /// Phân công.
    Assigned = "04",
    /// Đang xử lý.
    InProgress = "05",
    /// Hoàn thành.
    Done = "06",
    /// Lấy lại: the only one of the sender.
    TakeBack = "13",
    /// Đồng ý cập nhật, lấy lại, thu hồi.
    Agreed = "15",
    /// Từ chối cập nhật, lấy lại.
    Declined = "16",
}

named! {
    /// Where a document stands at an addressee.
    Stand:
    /// Nothing was heard.
    Sent = "sent",
    Arrived = "arrived",
    Refused = "refused",
    Registered = "registered",
    Assigned = "assigned",
    InProgress = "in-progress",
    Done = "done",
    /// It was asked to give it back, and has not answered.
    AskedBack = "asked-back",
    TakenBack = "taken-back",
    /// Another document stands in its place.
    Replaced = "replaced",
}

named! {
    /// What an addressee has to do in time.
    DutyKind:
    /// Say that it arrived (01).
    Arrive = "arrive",
    /// Register or refuse it (02, 03). Source: Decree 30/2020/ND-CP, article 22.
    Register = "register",
    /// The same for one that is urgent.
    RegisterAtOnce = "register-at-once",
    /// Be done with it (06) by the day that the document names.
    Complete = "complete",
    /// Answer a take-back, a recall or an update (15, 16).
    Answer = "answer",
}

named! {
    /// What operators should see, though nothing is refused for it.
    Flag:
    /// It refers to a document that was never seen here (V8).
    DocumentNotSeen = "DOCUMENT_NOT_SEEN",
    /// Its sender is no addressee and had no delivery in hand: it changes nothing.
    StatusOfStranger = "STATUS_OF_STRANGER",
    /// Only who issued a document may do that: it changes nothing.
    TakeBackOfAnothers = "TAKE_BACK_OF_ANOTHERS",
    RecallOfAnothers = "RECALL_OF_ANOTHERS",
    UpdateOfAnothers = "UPDATE_OF_ANOTHERS",
    ReplacementOfAnothers = "REPLACEMENT_OF_ANOTHERS",
    /// A document that names itself as replaced: it replaces nothing by that.
    ReplacesItself = "REPLACES_ITSELF",
    /// Another content, or another issuer, under an id that was used before (Decree 30/2020/ND-CP, appendix VI).
    NumberUsedTwice = "NUMBER_USED_TWICE",
    /// Refused and registered by the same addressee: the later one counts.
    StatusesContradict = "STATUSES_CONTRADICT",
    /// By its own time it comes after a status that is further on.
    StatusOutOfOrder = "STATUS_OUT_OF_ORDER",
    /// An answer (15, 16) though nothing was asked.
    AnswerWithoutQuestion = "ANSWER_WITHOUT_QUESTION",
    /// It asks somebody who does not have the document.
    AsksAStranger = "ASKS_A_STRANGER",
    /// An update that adds a receiver, but does not go to it.
    AddedWithoutPacket = "ADDED_WITHOUT_PACKET",
}

impl Flag {
    #[must_use]
    pub const fn code(self) -> ReasonCode {
        ReasonCode::new(self.name())
    }
}
