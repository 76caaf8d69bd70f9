//! The life of a document as operators see it: told, late by the calendar, and found.

use bytes::Bytes;
use lgsp_contract::Folder;
use lgsp_types::{
    ContractRef, DocumentQuery, DocumentRef, Exchange, FoundDocuments, Operations, Publish, Relation, TracedDocument,
    UnixMs,
};

use super::stage::{self, Stage, publish, written};
use crate::SearchError;

const LETTER: &str = "H44.01,2026/11/25,12/QĐ-UBND";
const SECOND: &str = "H44.01,2026/11/25,13/QĐ-UBND";
const HOUR: UnixMs = UnixMs(3_600_000);

/// Statuses are let through as well.
const STATUSES: &str = r#"
format = 1
[[grant]]
id = "statuses"
contracts = ["vn.lgsp.document-status/*"]
senders = ["H44.*"]
addressees = ["H44.*"]
"#;

async fn with_statuses() -> Stage {
    let stage = Stage::open().await;
    let contract = Folder::new(
        ContractRef::parse("vn.lgsp.document-status/1").unwrap(),
        include_bytes!("../../../../config/contracts/vn.lgsp.document-status/1/schema.json"),
        include_bytes!("../../../../config/contracts/vn.lgsp.document-status/1/contract.toml"),
    );
    stage.spine.import_contracts(&[contract]).await.unwrap();
    stage.spine.import("statuses.toml", STATUSES).await.unwrap();
    stage
}

fn about(relation: Relation, id: &str) -> DocumentRef {
    DocumentRef {
        relation,
        id: id.to_owned(),
        organ: "H44.01".to_owned(),
        code: id.rsplit(',').next().unwrap().to_owned(),
        date: "2026/11/25".to_owned(),
    }
}

fn letter(id: &str, documents: &[DocumentRef], subject: &str) -> Publish {
    Publish {
        act: if documents.is_empty() { "0" } else { "3" }.to_owned(),
        documents: [&[about(Relation::Is, id)], documents].concat(),
        payload: Bytes::from(stage::letter(subject)),
        ..publish(id, id, "")
    }
}

fn status(code: &str) -> Publish {
    Publish {
        contract: ContractRef::parse("vn.lgsp.document-status/1").unwrap(),
        from: written("H44.02", "/from"),
        to: vec![written("H44.01", "/to[1]")],
        act: code.to_owned(),
        documents: vec![about(Relation::About, LETTER)],
        payload: Bytes::from(format!(
            r#"{{"status_code":"{code}","response_for":{{"organ":"H44.01","id":"{LETTER}"}},"timestamp":"2026-11-25T16:00:00+07:00","from":{{"code":"H44.02"}}}}"#
        )),
        ..publish(LETTER, code, "")
    }
}

impl Stage {
    /// Until it is projected and sealed: the clock can go on then.
    async fn send(&self, message: Publish) {
        let receipt = self.spine.publish(&self.sender(), message).await.unwrap();
        self.sealed_proof(receipt.msg_id).await;
    }

    async fn say(&self, status: Publish) {
        let receipt = self.spine.publish(&self.receiver(), status).await.unwrap();
        self.sealed_proof(receipt.msg_id).await;
    }

    async fn documents(&self, query: &str) -> Vec<TracedDocument> {
        self.spine.trace(None, query).await.unwrap().documents
    }

    async fn found(&self, query: DocumentQuery) -> Vec<String> {
        let found: FoundDocuments = self.spine.search(&query).await.unwrap();
        found.documents.into_iter().map(|document| document.document).collect()
    }
}

fn late() -> DocumentQuery {
    DocumentQuery {
        late: true,
        ..DocumentQuery::default()
    }
}

#[tokio::test]
async fn a_document_is_late_when_working_hours_have_passed_and_no_more_when_it_is_registered() {
    let stage = with_statuses().await;
    // Wednesday, 16:46:40: of the hour 13 minutes are left, the rest is of tomorrow.
    stage.send(letter(LETTER, &[], "Về việc đô thị hóa")).await;
    let stand = |documents: &[TracedDocument]| {
        let stand = &documents[0].addressees[0];
        (stand.state, stand.late)
    };
    assert_eq!(stand(&stage.documents("12/QĐ-UBND").await), ("sent", false));
    assert_eq!(stage.found(late()).await, Vec::<String>::new());
    stage.advance(UnixMs(15 * HOUR.0 + HOUR.0 / 2));
    assert_eq!(stage.found(late()).await, Vec::<String>::new(), "08:16:40");
    stage.advance(UnixMs(1));
    assert_eq!(stand(&stage.documents("12/QĐ-UBND").await), ("sent", true));
    assert_eq!(stage.found(late()).await, ["12/QĐ-UBND"]);
    stage.say(status("01")).await;
    let arrived = stage.documents("12/QĐ-UBND").await;
    assert_eq!(
        stand(&arrived),
        ("arrived", false),
        "it has until the next evening to register"
    );
    let duties = &arrived[0].addressees[0].duties;
    assert_eq!(
        (duties[0].duty, duties[0].late_ms > 0),
        ("arrive", true),
        "late as it was"
    );
    assert_eq!(duties[1].deadline, "2026-11-26T17:00:00.000+07:00");
    stage.advance(UnixMs(30 * HOUR.0));
    assert_eq!(stage.found(late()).await, ["12/QĐ-UBND"]);
    stage.say(status("03")).await;
    assert_eq!(stage.found(late()).await, Vec::<String>::new());
    let said = &stage.documents("12/QĐ-UBND").await[0].said;
    let told: Vec<_> = said
        .iter()
        .map(|saying| (saying.what, saying.from.name.as_str()))
        .collect();
    assert_eq!(told, [("is", "One"), ("01", "Two"), ("03", "Two")]);
    stage.close().await;
}

#[tokio::test]
async fn a_replaced_document_and_the_new_one_are_told_from_either_number_with_every_message() {
    let stage = with_statuses().await;
    stage.send(letter(LETTER, &[], "Về việc khác")).await;
    stage.say(status("03")).await;
    stage
        .send(letter(SECOND, &[about(Relation::Replaces, LETTER)], "Về việc khác"))
        .await;
    for number in ["12/QĐ-UBND", "13/QĐ-UBND"] {
        let trace = stage.spine.trace(None, number).await.unwrap();
        let chain: Vec<_> = trace
            .documents
            .iter()
            .map(|one| (one.document.as_str(), one.addressees[0].state))
            .collect();
        assert_eq!(chain, [("12/QĐ-UBND", "replaced"), ("13/QĐ-UBND", "sent")]);
        assert_eq!(trace.documents[0].replaced_by, ["13/QĐ-UBND"]);
        assert_eq!(trace.documents[1].replaces, ["12/QĐ-UBND"]);
        assert_eq!(trace.messages.len(), 3, "{number}");
    }
    let second = stage.spine.trace(None, "13/QĐ-UBND").await.unwrap();
    let relations: Vec<&str> = second
        .messages
        .iter()
        .map(|message| message.relation.as_str())
        .collect();
    assert_eq!(relations, ["is", "linked", "linked"]);
    let own = stage.spine.trace(Some(&stage.receiver()), "12/QĐ-UBND").await.unwrap();
    assert!(
        own.documents.is_empty(),
        "where it stands elsewhere is not for a receiver"
    );
    stage.close().await;
}

#[tokio::test]
async fn a_search_finds_by_code_of_either_kind_and_words_and_says_all_that_is_wrong_in_it() {
    let stage = with_statuses().await;
    stage.send(letter(LETTER, &[], "Về việc đô thị hóa")).await;
    let query = |change: fn(&mut DocumentQuery)| {
        let mut query = DocumentQuery::default();
        change(&mut query);
        query
    };
    for (found, query) in [
        (1, query(|query| query.number = Some("12/qd-ubnd".to_owned()))),
        (1, query(|query| query.agency = Some("H44.02".to_owned()))),
        (0, query(|query| query.agency = Some("H99.99".to_owned()))),
        (1, query(|query| query.words = Some("DO THI".to_owned()))),
        (0, query(|query| query.words = Some("Mẫu".to_owned()))),
        (
            1,
            query(|query| (query.from, query.to) = (Some("2026-11-25".to_owned()), Some("2026/11/25".to_owned()))),
        ),
        (0, query(|query| query.to = Some("2026-11-24".to_owned()))),
        (1, query(|query| query.state = Some("sent".to_owned()))),
    ] {
        assert_eq!(stage.found(query.clone()).await.len(), found, "{query:?}");
    }
    let wrong = DocumentQuery {
        number: Some("—".to_owned()),
        agency: Some("h44".to_owned()),
        from: Some("25/11/2026".to_owned()),
        state: Some("lost".to_owned()),
        words: Some("a ".repeat(21)),
        limit: Some(101),
        after: Some("first".to_owned()),
        ..DocumentQuery::default()
    };
    let Err(SearchError::Refused(refusals)) = stage.spine.search(&wrong).await else {
        panic!()
    };
    let mut paths: Vec<&str> = refusals.iter().map(|refusal| refusal.path.as_str()).collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["/after", "/agency", "/from", "/limit", "/number", "/state", "/words"]
    );
    assert!(refusals.iter().all(|refusal| refusal.code == crate::SEARCH_INVALID));
    stage.close().await;
}

#[tokio::test]
async fn a_node_that_stood_by_finds_the_same_words() {
    let stage = with_statuses().await;
    stage.send(letter(LETTER, &[], "Về việc đô thị hóa")).await;
    let stage = stage.reopen_elsewhere().await;
    let words = DocumentQuery {
        words: Some("do thi hoa".to_owned()),
        ..DocumentQuery::default()
    };
    assert_eq!(stage.found(words).await, ["12/QĐ-UBND"]);
    stage.close().await;
}
