//! The tables: names, columns, keys and indexes, in SQL that PostgreSQL reads as well.
//!
//! Ids and names are TEXT, numbers and times (Unix milliseconds) BIGINT, truth is 0 or 1. `ledger_ms` is ledger time:
//! the running maximum of `append_ms` in the partition.
//!
//! | table | a row is | from facts |
//! |---|---|---|
//! | store | the store itself: whose it is, how often it was started | no |
//! | progress | how far one partition is projected, under which epoch | but the epoch |
//! | message | the first Accepted fact of a message id | yes |
//! | document, object | what an Accepted fact names, a lost one's too | yes |
//! | delivery | one message to one addressee, where it stands | yes |
//! | conflict | an Accepted fact that lost, and its end state | yes |
//! | event | a fact that is no refusal: the timelines | yes |
//! | refusal, finding | a refused call or a minute of them, and what was wrong | yes |
//! | alien | a record that is none of ours | yes |
//! | tally | how many there are of what, by partition | yes |
//! | mark | a soft mark on a delivery | no |
//! | saying | what a message says of a document | yes, but how documents are named may change with the program |
//! | life, waiting | where a document stands at an addressee, what it owes | derived: joins messages |
//! | filed, party, words | documents as they are searched | derived |
//!
//! What is derived is written with the facts, and may depend on the order of partitions: no hash covers it. `filed_id` is
//! ledger time and a number, so that what came later is greater; the word index is SQLite's own (FTS5, no content).

/// Version of the tables below: another one is made again from the ledger, never converted.
pub(super) const VERSION: i64 = 4;
/// "LGST" in the header of the file.
pub(super) const APPLICATION_ID: i32 = 0x4C47_5354;

pub(super) const TABLES: [&str; 19] = [
    "CREATE TABLE store (id BIGINT PRIMARY KEY, ledger TEXT NOT NULL, id_key TEXT NOT NULL, \
     partitions BIGINT NOT NULL, epoch BIGINT NOT NULL)",
    "CREATE TABLE progress (at_partition BIGINT PRIMARY KEY, epoch BIGINT NOT NULL, next_offset BIGINT NOT NULL, \
     ledger_ms BIGINT NOT NULL)",
    "CREATE TABLE message (msg_id TEXT PRIMARY KEY, at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, \
     append_ms BIGINT NOT NULL, accepted_ms BIGINT NOT NULL, leaf_hash TEXT NOT NULL, event_id TEXT NOT NULL, \
     request_tag TEXT NOT NULL, contract TEXT NOT NULL, sender_agency TEXT NOT NULL, sender_code TEXT NOT NULL, \
     from_written TEXT NOT NULL, system TEXT NOT NULL, order_key TEXT NOT NULL, idempotency_key TEXT NOT NULL, \
     purpose TEXT NOT NULL, to_written TEXT NOT NULL, act TEXT NOT NULL, due TEXT)",
    "CREATE TABLE document (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, ordinal BIGINT NOT NULL, \
     msg_id TEXT NOT NULL, relation TEXT NOT NULL, id TEXT NOT NULL, organ TEXT NOT NULL, code TEXT NOT NULL, \
     dated TEXT NOT NULL, id_folded TEXT NOT NULL, code_folded TEXT NOT NULL, \
     PRIMARY KEY (at_partition, at_offset, ordinal))",
    "CREATE TABLE object (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, ordinal BIGINT NOT NULL, \
     msg_id TEXT NOT NULL, role TEXT NOT NULL, name TEXT NOT NULL, media_type TEXT NOT NULL, \
     size_bytes BIGINT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (at_partition, at_offset, ordinal))",
    "CREATE TABLE delivery (delivery_id TEXT PRIMARY KEY, msg_id TEXT NOT NULL, ordinal BIGINT NOT NULL, \
     agency TEXT NOT NULL, code TEXT NOT NULL, written TEXT NOT NULL, contract_name TEXT NOT NULL, \
     at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, accepted_ms BIGINT NOT NULL, state TEXT NOT NULL, \
     generation BIGINT NOT NULL, attempts BIGINT NOT NULL, handed_out BIGINT NOT NULL, late BIGINT NOT NULL, \
     reason TEXT, last_event TEXT NOT NULL, last_offset BIGINT NOT NULL, changed_ms BIGINT NOT NULL, \
     listed BIGINT NOT NULL)",
    "CREATE TABLE conflict (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, msg_id TEXT NOT NULL, \
     request_tag TEXT NOT NULL, settled_offset BIGINT, PRIMARY KEY (at_partition, at_offset))",
    "CREATE TABLE event (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, kind BIGINT NOT NULL, \
     event_id TEXT NOT NULL, append_ms BIGINT NOT NULL, ledger_ms BIGINT NOT NULL, msg_id TEXT, delivery_id TEXT, \
     generation BIGINT NOT NULL, attempt BIGINT NOT NULL, agency TEXT, system TEXT NOT NULL, connector TEXT, \
     reason TEXT, effect TEXT NOT NULL, PRIMARY KEY (at_partition, at_offset))",
    "CREATE TABLE refusal (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, append_ms BIGINT NOT NULL, \
     ledger_ms BIGINT NOT NULL, source TEXT NOT NULL, reason TEXT, request_tag TEXT, minute BIGINT, \
     amount BIGINT NOT NULL, PRIMARY KEY (at_partition, at_offset))",
    "CREATE TABLE finding (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, ordinal BIGINT NOT NULL, \
     code TEXT NOT NULL, path TEXT NOT NULL, PRIMARY KEY (at_partition, at_offset, ordinal))",
    "CREATE TABLE alien (at_partition BIGINT NOT NULL, at_offset BIGINT NOT NULL, append_ms BIGINT NOT NULL, \
     ledger_ms BIGINT NOT NULL, leaf_hash TEXT NOT NULL, PRIMARY KEY (at_partition, at_offset))",
    "CREATE TABLE tally (at_partition BIGINT NOT NULL, what TEXT NOT NULL, amount BIGINT NOT NULL, \
     PRIMARY KEY (at_partition, what))",
    "CREATE TABLE mark (delivery_id TEXT PRIMARY KEY, mark TEXT NOT NULL, marked_ms BIGINT NOT NULL)",
    "CREATE TABLE saying (doc_key TEXT NOT NULL, msg_id TEXT NOT NULL, what TEXT NOT NULL, by_key TEXT NOT NULL, \
     natural_key TEXT NOT NULL, sender TEXT NOT NULL, accepted_ms BIGINT NOT NULL, said_ms BIGINT NOT NULL, \
     content TEXT NOT NULL, due TEXT, urgent BIGINT NOT NULL, acts BIGINT NOT NULL, dropped TEXT NOT NULL, \
     added TEXT NOT NULL, PRIMARY KEY (doc_key, msg_id, what))",
    "CREATE TABLE life (doc_key TEXT NOT NULL, agency TEXT NOT NULL, filed_id BIGINT NOT NULL, stand TEXT NOT NULL, \
     waits TEXT NOT NULL, PRIMARY KEY (doc_key, agency))",
    "CREATE TABLE waiting (doc_key TEXT NOT NULL, agency TEXT NOT NULL, duty TEXT NOT NULL, since_ms BIGINT NOT NULL, \
     filed_id BIGINT NOT NULL, PRIMARY KEY (doc_key, agency, duty))",
    "CREATE TABLE filed (filed_id INTEGER PRIMARY KEY, msg_id TEXT NOT NULL, doc_key TEXT NOT NULL, \
     number TEXT NOT NULL, notation TEXT NOT NULL, dated TEXT NOT NULL, sender TEXT NOT NULL, title TEXT NOT NULL)",
    "CREATE TABLE party (agency TEXT NOT NULL, filed_id BIGINT NOT NULL, PRIMARY KEY (agency, filed_id)) WITHOUT ROWID",
    "CREATE VIRTUAL TABLE words USING fts5(text, content='', columnsize=0, detail=none, tokenize='ascii')",
];
/// What the tables that SQLite makes for the word index begin with.
pub(super) const INDEX_OF_WORDS: &str = "words_";

pub(super) const INDEXES: [&str; 18] = [
    "CREATE INDEX document_by_code ON document (code_folded, msg_id) WHERE code_folded <> ''",
    "CREATE INDEX document_by_id ON document (id_folded, msg_id) WHERE id_folded <> ''",
    "CREATE INDEX object_by_digest ON object (digest)",
    "CREATE INDEX delivery_by_message ON delivery (msg_id, ordinal)",
    // A receiver's list, in its order; as small as what waits.
    "CREATE INDEX delivery_listed ON delivery (agency, accepted_ms, at_partition, at_offset, ordinal, contract_name, \
     state, delivery_id) WHERE listed = 1",
    "CREATE INDEX delivery_dead ON delivery (changed_ms, delivery_id) WHERE state = 'dead-lettered'",
    "CREATE INDEX conflict_pending ON conflict (at_partition, at_offset) WHERE settled_offset IS NULL",
    "CREATE INDEX event_by_message ON event (msg_id, at_partition, at_offset)",
    "CREATE INDEX refusal_by_time ON refusal (ledger_ms, at_partition, at_offset)",
    "CREATE INDEX saying_by_message ON saying (msg_id, what)",
    "CREATE INDEX saying_by_natural_key ON saying (natural_key, what) WHERE natural_key <> ''",
    "CREATE INDEX saying_by_new_key ON saying (by_key) WHERE by_key <> ''",
    "CREATE INDEX life_by_stand ON life (stand, filed_id)",
    // Read from the latest on: what is not late yet came last.
    "CREATE INDEX waiting_by_duty ON waiting (duty, filed_id, since_ms)",
    "CREATE INDEX filed_by_message ON filed (msg_id)",
    "CREATE INDEX filed_by_number ON filed (number)",
    "CREATE INDEX filed_by_notation ON filed (notation)",
    "CREATE INDEX filed_by_date ON filed (dated)",
];

/// What [`crate::Store::table_hashes`] covers: table, columns, key.
///
/// Left out are the epoch, what is only kept for searching (`listed`, the folded texts, whose folding may change with
/// the program), the tables `store` and `mark`, and what is derived.
pub(super) const HASHED: [(&str, &str, &str); 11] = [
    ("progress", "at_partition, next_offset, ledger_ms", "at_partition"),
    (
        "message",
        "msg_id, at_partition, at_offset, append_ms, accepted_ms, leaf_hash, event_id, request_tag, contract, \
         sender_agency, sender_code, from_written, system, order_key, idempotency_key, purpose, to_written, act, due",
        "msg_id",
    ),
    (
        "document",
        "at_partition, at_offset, ordinal, msg_id, relation, id, organ, code, dated",
        "at_partition, at_offset, ordinal",
    ),
    (
        "object",
        "at_partition, at_offset, ordinal, msg_id, role, name, media_type, size_bytes, digest",
        "at_partition, at_offset, ordinal",
    ),
    (
        "delivery",
        "delivery_id, msg_id, ordinal, agency, code, written, contract_name, at_partition, at_offset, accepted_ms, \
         state, generation, attempts, handed_out, late, reason, last_event, last_offset, changed_ms",
        "delivery_id",
    ),
    (
        "conflict",
        "at_partition, at_offset, msg_id, request_tag, settled_offset",
        "at_partition, at_offset",
    ),
    (
        "event",
        "at_partition, at_offset, kind, event_id, append_ms, ledger_ms, msg_id, delivery_id, generation, attempt, \
         agency, system, connector, reason, effect",
        "at_partition, at_offset",
    ),
    (
        "refusal",
        "at_partition, at_offset, append_ms, ledger_ms, source, reason, request_tag, minute, amount",
        "at_partition, at_offset",
    ),
    (
        "finding",
        "at_partition, at_offset, ordinal, code, path",
        "at_partition, at_offset, ordinal",
    ),
    (
        "alien",
        "at_partition, at_offset, append_ms, ledger_ms, leaf_hash",
        "at_partition, at_offset",
    ),
    ("tally", "at_partition, what, amount", "at_partition, what"),
];
