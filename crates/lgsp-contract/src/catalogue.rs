//! Everything that can be wrong with a payload, a schema or a version, each once: code, what, what to do, in both languages.

use std::fmt;

use lgsp_types::{ReasonCode, Refusal};

/// Longest path told, in bytes. Source: `lgsp_types::Finding`.
const PATH_BYTES_MAX: usize = 512;
/// Longest name of a field told in a path, in characters: names come from the sender, too.
const STEP_CHARS_MAX: usize = 64;

/// What is wrong and what to do, in one language, without a value that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    pub what: String,
    pub mend: String,
}

/// One broken rule: its stable code, its exact place, and what a person is told in Vietnamese and English.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} at {path}: {}; {}", en.what, en.mend)]
pub struct Broken {
    pub code: ReasonCode,
    /// JSON pointer (RFC 6901) into what was checked, at most 512 bytes; `/` for the whole.
    pub path: String,
    pub vi: Said,
    pub en: Said,
}

impl Broken {
    /// For whoever answers the caller.
    #[must_use]
    pub fn refusal(&self) -> Refusal {
        Refusal {
            in_vietnamese: Some(format!("{}; {}", self.vi.what, self.vi.mend)),
            ..Refusal::new(self.code.clone(), &self.path, &self.en.what, &self.en.mend)
        }
    }

    /// The same broken rule one level further out.
    pub(crate) fn within(&mut self, step: &str) {
        let inner = if self.path == "/" { "" } else { &self.path };
        let path = format!("/{}{inner}", escaped(step));
        self.path = bounded(path);
    }
}

/// A step of a JSON pointer; a name longer than anybody reads is cut.
pub(crate) fn escaped(step: &str) -> String {
    let whole = step.chars().nth(STEP_CHARS_MAX).is_none();
    let mut out = String::with_capacity(step.len().min(STEP_CHARS_MAX * 4));
    for letter in step.chars().take(STEP_CHARS_MAX) {
        match letter {
            '~' => out.push_str("~0"),
            '/' => out.push_str("~1"),
            // A path stands in one line of a log and of a terminal.
            letter if letter.is_control() => out.push('\u{fffd}'),
            letter => out.push(letter),
        }
    }
    if !whole {
        out.push('…');
    }
    out
}

fn bounded(mut path: String) -> String {
    if path.len() > PATH_BYTES_MAX {
        let mut end = PATH_BYTES_MAX - '…'.len_utf8();
        while !path.is_char_boundary(end) {
            end -= 1;
        }
        path.truncate(end);
        path.push('…');
    }
    path
}

/// One line of the catalogue. `{0}` and `{1}` stand for a limit or a name of the contract, never for a value that came in.
#[derive(Debug)]
pub struct Entry {
    pub code: ReasonCode,
    pub en: [&'static str; 2],
    pub vi: [&'static str; 2],
}

impl Entry {
    const fn new(code: &'static str, en: [&'static str; 2], vi: [&'static str; 2]) -> Self {
        let code = ReasonCode::new(code);
        Self { code, en, vi }
    }

    pub(crate) fn at(&self, path: impl Into<String>, arguments: &[&dyn fmt::Display]) -> Broken {
        let fill = |[what, mend]: [&str; 2]| Said {
            what: filled(what, arguments),
            mend: filled(mend, arguments),
        };
        let path = path.into();
        Broken {
            code: self.code.clone(),
            path: if path.is_empty() { "/".to_owned() } else { bounded(path) },
            vi: fill(self.vi),
            en: fill(self.en),
        }
    }
}

fn filled(template: &str, arguments: &[&dyn fmt::Display]) -> String {
    let mut text = template.to_owned();
    for (nth, argument) in arguments.iter().enumerate() {
        text = text.replace(&format!("{{{nth}}}"), &argument.to_string());
    }
    text
}

macro_rules! catalogue {
    ($($name:ident: $en:expr, $vi:expr;)+) => {
        $(pub(crate) static $name: Entry = Entry::new(stringify!($name), $en, $vi);)+

        /// Every entry, for documentation and for pages that explain a code.
        #[must_use]
        pub fn catalogue() -> Vec<&'static Entry> {
            vec![$(&$name),+]
        }
    };
}

// The texts of a family stand together; where the adapters have the same code, it means the same there.
catalogue! {
    // --- what is no JSON, or none that two readers read alike (RFC 8259, RFC 7493) ---
    CHARSET: ["is not UTF-8 at byte {0}", "send UTF-8"],
        ["không phải UTF-8 tại byte thứ {0}", "gửi lại bằng mã hóa UTF-8"];
    JSON_BYTE_ORDER_MARK: ["begins with a byte-order mark", "send the JSON without it (RFC 8259, section 8.1)"],
        ["bắt đầu bằng dấu thứ tự byte (BOM)", "gửi JSON không có dấu này (RFC 8259, mục 8.1)"];
    JSON_MALFORMED: ["is no JSON at line {0}, column {1}", "send well-formed JSON (RFC 8259)"],
        ["không phải JSON hợp lệ tại dòng {0}, cột {1}", "gửi JSON đúng cú pháp (RFC 8259)"];
    JSON_TOO_DEEP: ["has more than {0} levels inside each other", "send it flatter"],
        ["lồng nhau quá {0} cấp", "giảm số cấp lồng nhau"];
    JSON_DUPLICATE_KEY: ["stands twice, and readers differ in which one they take", "write each name once"],
        ["xuất hiện hai lần; mỗi hệ thống có thể đọc một giá trị khác nhau", "ghi mỗi tên trường một lần"];
    JSON_NUMBER_INEXACT: ["is a number that not every reader can hold exactly",
         "write an integer of 64 bits or 15 digits, or send it as text"],
        ["là số mà không phải hệ thống nào cũng lưu được chính xác",
         "ghi số nguyên 64 bit hoặc tối đa 15 chữ số, hoặc gửi dưới dạng chuỗi"];
    JSON_SURROGATE: ["has half a character (a lone surrogate)", "write whole characters"],
        ["chứa nửa ký tự (mã thay thế đơn lẻ)", "ghi ký tự đầy đủ"];
    JSON_NUL: ["has the character U+0000", "leave it out"],
        ["chứa ký tự U+0000", "bỏ ký tự này"];
    PAYLOAD_TOO_LARGE: ["is larger than {0} bytes", "send less, or a file beside it"],
        ["lớn hơn {0} byte", "gửi ít dữ liệu hơn hoặc gửi thành tệp đính kèm"];

    // --- which contract ---
    CONTRACT_UNKNOWN: ["no contract {0} is known here", "name a contract that this node has"],
        ["không có hợp đồng dữ liệu {0}", "ghi tên hợp đồng dữ liệu đã đăng ký"];
    CONTRACT_VERSION_UNKNOWN: ["of the contract {0} only these versions are known: {1}", "name one of them"],
        ["hợp đồng dữ liệu {0} chỉ có các phiên bản: {1}", "ghi một trong các phiên bản đó"];

    // --- rules of a schema ---
    FIELD_MISSING: ["is missing or empty", "fill it in"],
        ["thiếu hoặc bỏ trống", "bổ sung thông tin"];
    FIELD_UNKNOWN: ["is not known to the contract", "leave it out, or correct its name"],
        ["không có trong hợp đồng dữ liệu", "bỏ trường này hoặc sửa lại tên"];
    FIELD_NOT_ALLOWED: ["may not stand here", "leave it out"],
        ["không được phép có ở đây", "bỏ nội dung này"];
    FIELD_NAME: ["has a name that the contract does not allow", "correct the name"],
        ["có tên trường không được hợp đồng dữ liệu cho phép", "sửa lại tên trường"];
    FIELD_TYPE: ["is not of the type {0}", "write it as {0}"],
        ["không đúng kiểu {0}", "ghi đúng kiểu {0}"];
    FIELD_FORMAT: ["is not of the format {0}", "write it as {0}"],
        ["không đúng định dạng {0}", "ghi đúng định dạng {0}"];
    FIELD_FORM: ["is not of the form {0}", "write it so"],
        ["không đúng mẫu: {0}", "ghi đúng mẫu"];
    FIELD_TOO_LONG: ["is longer than {0} characters", "shorten it"],
        ["dài quá {0} ký tự", "rút ngắn nội dung"];
    FIELD_TOO_SHORT: ["is shorter than {0} characters", "write it out"],
        ["ngắn hơn {0} ký tự", "ghi đầy đủ nội dung"];
    FIELD_NOT_IN_LIST: ["is none of {0}", "write one of them"],
        ["không thuộc danh mục {0}", "ghi một giá trị trong danh mục"];
    FIELD_NOT_FITTING: ["is what the contract excludes here", "see the contract for what may stand here"],
        ["thuộc trường hợp mà hợp đồng dữ liệu loại trừ", "xem hợp đồng dữ liệu để biết nội dung được phép"];
    CHOICE_NONE: ["fits none of the {0} choices of the contract", "write it as one of them"],
        ["không khớp với phương án nào trong {0} phương án của hợp đồng dữ liệu", "ghi theo một trong các phương án"];
    CHOICE_SEVERAL: ["fits more than one choice of the contract", "write it so that only one fits"],
        ["khớp với nhiều phương án của hợp đồng dữ liệu", "ghi sao cho chỉ khớp một phương án"];
    NUMBER_TOO_SMALL: ["is less than {0}", "write {0} or more"],
        ["nhỏ hơn {0}", "ghi giá trị từ {0} trở lên"];
    NUMBER_TOO_LARGE: ["is more than {0}", "write {0} or less"],
        ["lớn hơn {0}", "ghi giá trị không quá {0}"];
    NUMBER_NOT_ABOVE: ["is not more than {0}", "write more than {0}"],
        ["không lớn hơn {0}", "ghi giá trị lớn hơn {0}"];
    NUMBER_NOT_BELOW: ["is not less than {0}", "write less than {0}"],
        ["không nhỏ hơn {0}", "ghi giá trị nhỏ hơn {0}"];
    NUMBER_NOT_MULTIPLE: ["is no multiple of {0}", "write a multiple of {0}"],
        ["không phải bội số của {0}", "ghi bội số của {0}"];
    LIST_TOO_LONG: ["has more than {0} items", "send fewer"],
        ["có nhiều hơn {0} phần tử", "gửi ít phần tử hơn"];
    LIST_TOO_SHORT: ["has fewer than {0} items", "send more"],
        ["có ít hơn {0} phần tử", "bổ sung phần tử"];
    LIST_REPEATS: ["has an item twice", "send each item once"],
        ["có phần tử bị trùng", "gửi mỗi phần tử một lần"];
    LIST_CONTENT: ["has too few or too many items of the kind that the contract counts",
         "see the contract for how many it wants"],
        ["có quá ít hoặc quá nhiều phần tử thuộc loại mà hợp đồng dữ liệu quy định số lượng",
         "xem hợp đồng dữ liệu để biết số lượng"];
    OBJECT_TOO_LARGE: ["has more than {0} fields", "send fewer"],
        ["có nhiều hơn {0} trường", "gửi ít trường hơn"];
    OBJECT_TOO_SMALL: ["has fewer than {0} fields", "send more"],
        ["có ít hơn {0} trường", "bổ sung trường"];
    TOO_MANY_FINDINGS: ["has more broken rules than are told at once ({0})",
         "mend these, and send it again for the others"],
        ["có nhiều lỗi hơn số lỗi được báo trong một lần ({0})", "sửa các lỗi đã báo rồi gửi lại để kiểm tra tiếp"];

    // --- rules beyond a schema (rules.rs) ---
    DOCUMENT_FIELD_EMPTY: ["is missing, empty or N/A",
         "fill in what stands on the document (Decree 30/2020/ND-CP, article 8)"],
        ["thiếu, bỏ trống hoặc ghi N/A", "ghi đúng thể thức của văn bản (Nghị định 30/2020/NĐ-CP, Điều 8)"];
    DATE_AHEAD: ["lies more than a day ahead of today", "correct the date, or the clock"],
        ["muộn hơn ngày hiện tại quá một ngày", "sửa lại ngày hoặc đồng hồ hệ thống"];
    REPLACEMENT_WITHOUT_LIST: ["is a replacement that does not say what it replaces",
         "name the documents replaced (ReplacementInfoList)"],
        ["là văn bản thay thế nhưng không nêu văn bản được thay thế",
         "ghi danh sách văn bản được thay thế (ReplacementInfoList)"];
    UPDATE_WITHOUT_CHANGES: ["is an update that does not say what changes",
         "name what changes (BussinessDocumentInfo)"],
        ["là bản cập nhật nhưng không nêu nội dung cập nhật", "ghi nội dung cập nhật (BussinessDocumentInfo)"];
    SECRECY_MARK: ["bears a mark of state secrecy; such documents never travel here",
         "do not send it; tell whoever is responsible for state secrets (Decision 28/2018/QD-TTg)"],
        ["có dấu chỉ độ mật; văn bản mật không được gửi qua hệ thống này",
         "không gửi; báo người phụ trách bảo vệ bí mật nhà nước (Quyết định 28/2018/QĐ-TTg)"];
    ANTIVIRUS_REPORT: ["is a report on malware in the header of a document", "nothing needs to be done"],
        ["là báo cáo phòng, chống mã độc dùng phần đầu của văn bản", "không cần xử lý"];

    // --- a contract's own files ---
    CONTRACT_FILE_MISSING: ["is not there", "add the file"],
        ["không có tệp này", "bổ sung tệp"];
    CONTRACT_FILE_UNKNOWN: ["is no file of a contract",
         "keep schema.json, contract.toml, good/*.json, bad/*.json and bad/*.findings"],
        ["không phải tệp của hợp đồng dữ liệu",
         "chỉ giữ schema.json, contract.toml, good/*.json, bad/*.json và bad/*.findings"];
    CONTRACT_SETTING: ["is no sound contract.toml: {0}", "see config/contracts for one that is"],
        ["contract.toml không hợp lệ: {0}", "xem mẫu trong config/contracts"];
    MARK_UNKNOWN: ["marks a field that schema.json does not have: {0}", "write a JSON pointer, with * for every item of a list"],
        ["đánh dấu một trường không có trong schema.json: {0}", "ghi đường dẫn JSON pointer, dùng * cho mọi phần tử của danh sách"];
    MARK_NO_TEXT: ["marks a field searchable that is no text: {0}", "mark a field of type string"],
        ["đánh dấu tìm kiếm một trường không phải kiểu chữ: {0}", "chỉ đánh dấu trường kiểu string"];
    MARK_PERSONAL: ["marks a field searchable that holds, or is part of, personal data: {0}", "take one of the two marks away"],
        ["đánh dấu tìm kiếm một trường là, hoặc thuộc, dữ liệu cá nhân: {0}", "bỏ một trong hai đánh dấu"];
    CONTRACT_TWICE: ["is there twice", "keep one folder for each version"],
        ["bị trùng", "mỗi phiên bản chỉ có một thư mục"];
    SAMPLE_REFUSED: ["is a good sample, and is refused: {0}", "mend the sample or the contract"],
        ["là mẫu đúng nhưng bị từ chối: {0}", "sửa mẫu hoặc hợp đồng dữ liệu"];
    SAMPLE_FINDINGS: ["is a bad sample in which other rules are broken than it names: {0}",
         "write what is broken into its .findings, one `CODE /path` a line"],
        ["là mẫu sai nhưng các lỗi khác với lỗi đã nêu: {0}",
         "ghi đúng các lỗi vào tệp .findings, mỗi dòng một `MÃ /đường-dẫn`"];
    SAMPLE_MISSING: ["has no sample {0}", "add one: it shows what the contract means"],
        ["không có mẫu {0}", "bổ sung mẫu để làm rõ hợp đồng dữ liệu"];
    SCHEMA_TOO_LARGE: ["is beyond the bound of {0} ({1})", "say less, or split the contract"],
        ["vượt giới hạn {0} ({1})", "rút gọn hoặc tách hợp đồng dữ liệu"];
    SCHEMA_DRAFT: ["does not name draft 2020-12",
         "write \"$schema\": \"https://json-schema.org/draft/2020-12/schema\""],
        ["không khai báo phiên bản 2020-12", "ghi \"$schema\": \"https://json-schema.org/draft/2020-12/schema\""];
    SCHEMA_KEYWORD: ["is no keyword of the contracts' dialect",
         "correct its name, leave it out, or begin it with x- if it is for people"],
        ["không phải từ khóa được dùng trong hợp đồng dữ liệu",
         "sửa tên, bỏ đi, hoặc đặt tên bắt đầu bằng x- nếu chỉ để ghi chú"];
    SCHEMA_VALUE: ["is not what this keyword takes", "see JSON Schema draft 2020-12"],
        ["không phải giá trị hợp lệ của từ khóa này", "xem JSON Schema bản 2020-12"];
    SCHEMA_REFERENCE: ["refers to no schema within this file",
         "refer to \"#\" or \"#/$defs/<name>\"; nothing else is read"],
        ["không trỏ tới lược đồ nào trong tệp này",
         "trỏ tới \"#\" hoặc \"#/$defs/<tên>\"; nguồn bên ngoài không được đọc"];
    SCHEMA_LOOP: ["refers back to itself without going into the data", "let each turn go into a field or item"],
        ["tham chiếu vòng mà không đi sâu vào dữ liệu", "mỗi vòng phải đi vào một trường hoặc phần tử"];
    SCHEMA_TOO_COSTLY: ["can be asked of one value more than {0} times",
         "refer to it from fewer places that lie over each other"],
        ["có thể bị kiểm tra quá {0} lần trên một giá trị", "giảm số tham chiếu chồng lên nhau"];
    SCHEMA_PATTERN: ["is no regular expression of linear time, or one too large",
         "leave out look-around and back references; repeat less"],
        ["không phải biểu thức chính quy chạy trong thời gian tuyến tính, hoặc quá lớn",
         "bỏ look-around và tham chiếu ngược; giảm số lần lặp"];
    SCHEMA_FORMAT: ["is no format that is checked here", "take one of {0}, or say it by a pattern"],
        ["không phải định dạng được kiểm tra", "dùng một trong {0}, hoặc dùng pattern"];

    // --- what a new version breaks ({0}: the keyword, before → now; {1}: the earlier version) ---
    BREAKS_SENDERS: ["breaks senders of {1}: {0}", "widen it, or declare the break in contract.toml"],
        ["khiến bên gửi theo {1} bị từ chối: {0}", "nới lỏng, hoặc khai báo không tương thích trong contract.toml"];
    BREAKS_UNPROVEN: ["may break senders of {1}, as the opposite cannot be shown: {0}",
         "write it as there, or declare the break in contract.toml"],
        ["có thể khiến bên gửi theo {1} bị từ chối vì không chứng minh được điều ngược lại: {0}",
         "ghi như phiên bản đó, hoặc khai báo không tương thích trong contract.toml"];
    NEW_FOR_RECEIVERS: ["is new for receivers of {1}: {0}", "tell them before anybody sends it"],
        ["là nội dung mới đối với bên nhận theo {1}: {0}", "thông báo cho bên nhận trước khi gửi"];
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn holes(texts: [&str; 2]) -> BTreeSet<char> {
        let text = texts.concat();
        text.match_indices('{')
            .filter_map(|(at, _)| text[at..].chars().nth(1))
            .collect()
    }

    #[test]
    fn every_code_stands_once_and_says_the_same_in_both_languages() {
        let mut codes = BTreeSet::new();
        for entry in catalogue() {
            assert!(codes.insert(entry.code.as_str()), "{} stands twice", entry.code);
            assert_eq!(holes(entry.en), holes(entry.vi), "{}", entry.code);
            for text in entry.en.iter().chain(&entry.vi) {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text}", entry.code);
            }
            assert!(
                !entry.vi.concat().is_ascii(),
                "{} is not told in Vietnamese",
                entry.code
            );
        }
    }

    #[test]
    fn a_path_is_a_pointer_of_bounded_length_in_one_line() {
        let mut broken = FIELD_MISSING.at("", &[]);
        assert_eq!(broken.path, "/");
        broken.within("a/b~c\n");
        assert_eq!(broken.path, "/a~1b~0c\u{fffd}");
        broken.within(&"Đ".repeat(100));
        assert_eq!(broken.path.chars().filter(|letter| *letter == 'Đ').count(), 64);
        for _ in 0..100 {
            broken.within("Đồng");
        }
        assert!(broken.path.len() <= 512 && broken.path.starts_with("/Đồng/"));
    }
}
