//! Authors of contracts and integrators at the command line: `lgsp contract check` and `validate`, without a node.

use std::fs;
use std::path::{Path, PathBuf};

use lgsp_adapters::edxml_vxp::packet::{Limits, PacketReader};
use lgsp_types::DocumentDate;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Ended, data, run, to_lgsp};

const CONTRACTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../config/contracts");

fn contract(arguments: &[&str]) -> Ended {
    run(to_lgsp(&[&["contract"], arguments].concat()))
}

fn as_json(ended: &Ended) -> Value {
    serde_json::from_str(&ended.out).unwrap_or_else(|error| panic!("{error}: {ended:?}"))
}

/// A copy of the shipped contracts that a test may change.
struct Author {
    folder: TempDir,
}

impl Author {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        copy(Path::new(CONTRACTS), folder.path());
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Makes version 2 of the document's contract, with one thing changed.
    fn second(&self, change: impl Fn(&mut Value)) {
        let [first, second] = ["1", "2"].map(|version| PathBuf::from(self.path("vn.lgsp.document")).join(version));
        copy(&first, &second);
        let mut schema = serde_json::from_slice(&fs::read(first.join("schema.json")).unwrap()).unwrap();
        change(&mut schema);
        fs::write(second.join("schema.json"), schema.to_string()).unwrap();
    }

    fn check(&self, name: &str) -> Ended {
        contract(&["check", &self.path(name)])
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, &to).unwrap();
        }
    }
}

#[test]
fn the_shipped_contracts_are_sound() {
    let checked = contract(&["check", CONTRACTS, "--json"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let checked = as_json(&checked);
    assert_eq!((&checked["versions"], &checked["problems"]), (&json!(2), &json!([])));
    assert!(checked["samples"].as_u64() >= Some(30), "{checked}");
}

/// The samples `packet_…` are what the façade makes of the packets of the field, byte for byte.
#[test]
fn what_the_facade_makes_of_a_packet_fits_its_contract() {
    let mut compared = 0;
    for (kind, name) in [("document", "vn.lgsp.document"), ("status", "vn.lgsp.document-status")] {
        let samples = Path::new(CONTRACTS).join(name).join("1/good");
        for entry in fs::read_dir(samples).unwrap() {
            let path = entry.unwrap().path();
            let Some(packet) = path.file_stem().unwrap().to_str().unwrap().strip_prefix("packet_") else {
                continue;
            };
            let mut reader = PacketReader::new(Limits {
                packet_bytes_max: 1 << 20,
            });
            let written = fs::read(data(&format!("edxml/{kind}_{packet}.edxml"))).unwrap();
            reader.feed(&written).unwrap();
            let packet = reader.finish(DocumentDate::parse_iso("2026-11-30").unwrap()).unwrap();
            assert_eq!(packet.kind().contract(), format!("{name}/1"));
            assert_eq!(packet.json(), fs::read(&path).unwrap(), "{}", path.display());
            compared += 1;
        }
    }
    assert_eq!(
        compared, 9,
        "the ten packets of the field, but for the one that is refused as it comes"
    );
}

#[test]
fn an_integrator_sees_all_that_is_wrong_in_both_languages() {
    let folder = TempDir::new().unwrap();
    let letter = folder.path().join("thư 1.json");
    let payload = json!({
        "id": "H62.11,2026/01/05,2451/STTTT-CNTT", "from": {"code": "H62.11"}, "to": [{"code": "Sở Tư pháp"}],
        "code": {"number": "2451", "notation": "STTTT-CNTT"}, "promulgation": {"date": "2026-02-30"},
        "type": {"name": "Công văn"}, "subject": "V/v họp (MẬT)", "signer": {"full_name": "N/A"}, "business": {"kind": 0},
    });
    fs::write(&letter, payload.to_string()).unwrap();
    let asked = [
        "validate",
        "vn.lgsp.document/1",
        letter.to_str().unwrap(),
        "--contracts",
        CONTRACTS,
    ];
    let told = contract(&asked);
    assert_eq!(told.code, Some(1), "{told:?}");
    for line in [
        "FIELD_FORMAT /to/0/code",
        "FIELD_FORMAT /promulgation/date",
        "SECRECY_MARK /subject",
        "DOCUMENT_FIELD_EMPTY /signer/full_name",
        "  vi: thiếu, bỏ trống hoặc ghi N/A; ghi đúng thể thức của văn bản (Nghị định 30/2020/NĐ-CP, Điều 8)",
        "  en: is missing, empty or N/A; fill in what stands on the document (Decree 30/2020/ND-CP, article 8)",
    ] {
        assert!(told.out.lines().any(|told| told == line), "{line}: {}", told.out);
    }
    assert!(
        told.out
            .ends_with("does not fit vn.lgsp.document/1: 4 things are wrong"),
        "{}",
        told.out
    );
    assert!(
        !told.out.contains("2026-02-30") && !told.out.contains("Sở Tư pháp"),
        "{}",
        told.out
    );

    let json = as_json(&contract(&[&asked[..], &["--json"]].concat()));
    assert_eq!(
        (&json["fits"], json["broken"].as_array().map(Vec::len)),
        (&json!(false), Some(4))
    );
    let good = format!("{CONTRACTS}/vn.lgsp.document/1/good/letter.json");
    let fits = contract(&["validate", "vn.lgsp.document/1", &good, "--contracts", CONTRACTS]);
    assert_eq!(
        (fits.code, fits.out.ends_with("letter.json fits vn.lgsp.document/1")),
        (Some(0), true),
        "{fits:?}"
    );
    let before = contract(&[
        "validate",
        "vn.lgsp.document/1",
        &good,
        "--contracts",
        CONTRACTS,
        "--on",
        "2026-01-01",
    ]);
    assert!(
        before.code == Some(1) && before.out.starts_with("DATE_AHEAD /promulgation/date\n"),
        "{before:?}"
    );
}

#[test]
fn an_author_is_told_whom_a_new_version_breaks() {
    let author = Author::new();
    author.second(|schema| {
        schema["properties"]["register"] = json!({"type": "string"});
        schema["properties"]["subject"]["maxLength"] = json!(600);
    });
    let wider = author.check("");
    assert_eq!(wider.code, Some(0), "{wider:?}");
    assert!(
        wider
            .out
            .contains("new: vn.lgsp.document/2 schema.json NEW_FOR_RECEIVERS"),
        "{}",
        wider.out
    );

    author.second(|schema| schema["properties"]["signer"]["required"] = json!(["position"]));
    for asked in [
        "",
        "vn.lgsp.document",
        "vn.lgsp.document/2",
        "vn.lgsp.document/2/schema.json",
    ] {
        let narrower = author.check(asked);
        assert_eq!(narrower.code, Some(1), "{asked}: {narrower:?}");
        let said = "vn.lgsp.document/2 schema.json BREAKS_SENDERS /properties/signer/required\n  vi: khiến bên gửi theo \
                    vn.lgsp.document/1 bị từ chối: required: → \"position\"; ";
        assert!(narrower.out.contains(said), "{asked}: {}", narrower.out);
    }

    let settings = author.path("vn.lgsp.document/2/contract.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"backward\"", "\"none\"")).unwrap();
    let declared = author.check("");
    assert_eq!(declared.code, Some(0), "{declared:?}");
}

#[test]
fn what_cannot_be_answered_is_told_apart_from_a_no() {
    let author = Author::new();
    let good = author.path("vn.lgsp.document/1/good/letter.json");
    let folder = author.path("");
    let validate = |name: &str, payload: &str| contract(&["validate", name, payload, "--contracts", &folder]);
    let unknown = validate("vn.lgsp.nothing/1", &good);
    assert!(
        unknown.code == Some(1) && unknown.out.starts_with("CONTRACT_UNKNOWN /"),
        "{unknown:?}"
    );
    assert_eq!(validate("vn.lgsp.document", &good).code, Some(2));
    assert_eq!(validate("vn.lgsp.document/1", &author.path("none.json")).code, Some(3));
    assert_eq!(author.check("none").code, Some(3));
    assert_eq!(contract(&["check", &folder, "--on", "hôm nay"]).code, Some(2));

    // A schema that stands alone, and one that reaches outside among the contracts.
    let alone = author.path("alone.json");
    fs::write(
        &alone,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","$ref":"file:///etc/passwd"}"#,
    )
    .unwrap();
    let reaches = author.check("alone.json");
    assert!(
        reaches.code == Some(1) && reaches.out.starts_with("SCHEMA_REFERENCE /$ref\n"),
        "{reaches:?}"
    );
    fs::copy(&alone, author.path("vn.lgsp.document/1/schema.json")).unwrap();
    let checked = author.check("");
    assert!(
        checked.code == Some(1) && checked.out.contains("schema.json SCHEMA_REFERENCE /$ref"),
        "{checked:?}"
    );
    let unsound = validate("vn.lgsp.document/1", &good);
    assert!(
        unsound.code == Some(2) && unsound.err.contains("run `lgsp contract check` on it"),
        "{unsound:?}"
    );

    let pipe = author.path("vn.lgsp.document-status/1/good/pipe.json");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    let waits = author.check("");
    assert!(
        waits.code == Some(3) && waits.err.contains("is no plain file"),
        "{waits:?}"
    );
    fs::remove_file(&pipe).unwrap();

    fs::rename(author.path("vn.lgsp.document"), author.path("Văn bản")).unwrap();
    let nameless = author.check("");
    assert!(
        nameless.code == Some(3) && nameless.err.contains("does not end in a contract's name"),
        "{nameless:?}"
    );
}
