//! Settings as operators get them wrong.

use std::path::PathBuf;

use super::*;

fn load(overlay: Option<&str>, environment: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    let file = overlay.map(|text| {
        let path = folder.path().join("my.toml");
        std::fs::write(&path, text).unwrap();
        path
    });
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load(file.as_deref(), environment)
}

/// The one problem of a wrong overlay: subject, what, line of the place, mend.
fn wrong(overlay: &str) -> (String, String, String) {
    let problems = load(Some(overlay), &[]).unwrap_err().0;
    assert_eq!(problems.len(), 1, "{problems:?}");
    let line = problems[0].place.rsplit(':').next().unwrap().to_owned();
    (problems[0].subject.clone(), problems[0].what.clone(), line)
}

#[test]
fn the_reference_alone_is_a_whole_configuration() {
    let loaded = load(None, &[]).unwrap();
    assert_eq!(loaded.settings.ledger.partitions, 1);
    assert!(
        loaded
            .layers
            .listed()
            .iter()
            .all(|(_, _, origin)| matches!(origin, Origin::Default(_)))
    );
}

#[test]
fn the_environment_stands_over_the_file_and_the_file_over_the_reference() {
    let overlay = "[node]\nid = \"from-file\"\nstop_grace_ms = 5000\n";
    let loaded = load(
        Some(overlay),
        &[("LGSP__NODE__ID", "from-env"), ("LGSP_FAILPOINT", "x"), ("PATH", "y")],
    )
    .unwrap();
    assert_eq!(loaded.settings.node.id.as_str(), "from-env");
    assert_eq!(loaded.settings.node.stop_grace_ms, 5_000);
    let listed = loaded.layers.listed();
    let origin = |path: &str| {
        listed
            .iter()
            .find(|(known, _, _)| known == path)
            .map(|(_, _, origin)| origin.clone())
    };
    assert_eq!(
        origin("node.id"),
        Some(Origin::Environment {
            variable: "LGSP__NODE__ID".to_owned()
        })
    );
    assert!(matches!(
        origin("node.stop_grace_ms"),
        Some(Origin::File { line: 3, .. })
    ));
}

#[test]
fn a_wrong_setting_is_shown_with_its_line() {
    for (overlay, subject, what, line) in [
        ("[node]\nidd = \"x\"\n", "node.idd", "there is no such setting", "2"),
        ("[nodes]\n", "", "there is no section `nodes`", "1"),
        (
            "\n\n[ledger]\npartitions = \"many\"",
            "ledger.partitions",
            "is of type string, not integer",
            "4",
        ),
        (
            "[ledger]\npartitions = 0",
            "ledger.partitions",
            "0 is out of bounds",
            "2",
        ),
        (
            "[ledger]\npartitions = 257",
            "ledger.partitions",
            "257 is out of bounds",
            "2",
        ),
        (
            "[node]\nid = \"../x\"",
            "node.id",
            "name has a character that is not allowed at 2",
            "2",
        ),
        (
            "[node]\nsecret = \"x\"",
            "node.secret",
            "a secret never stands in settings",
            "2",
        ),
        (
            "[log]\nfilter = \"lgsp=loud\"",
            "log.filter",
            "error parsing level filter: expected one of \"off\", \"error\", \"warn\", \"info\", \"debug\", \"trace\", or a number 0-5",
            "2",
        ),
        (
            "[registry]\nfiles = []",
            "registry.files",
            "the list is empty: nobody could connect",
            "2",
        ),
        (
            "[webhook]\nanswer_timeout_ms = 50001\nhosts = [\"a.vn\"]",
            "webhook.answer_timeout_ms",
            "is, with webhook.connect_timeout_ms, longer than push.answer_timeout_ms",
            "2",
        ),
        ("node = 1\n", "", "`node` is a section", "1"),
    ] {
        let found = wrong(overlay);
        assert!(subject.is_empty() || found.0 == subject, "{overlay}: {found:?}");
        assert_eq!((found.1.as_str(), found.2.as_str()), (what, line), "{overlay}");
    }
}

#[test]
fn toml_that_is_none_is_shown_with_its_line() {
    for (overlay, line) in [
        ("[node]\nid = \n", "2"),
        ("[node]\nid = \"a\"\nid = \"b\"\n", "3"),
        ("[node\n", "1"),
    ] {
        assert_eq!(wrong(overlay).2, line, "{overlay}");
    }
}

#[test]
fn every_mistake_is_told_at_once() {
    let problems = load(
        Some("[node]\na = 1\nb = 2\n[log]\nfilter = 3\n"),
        &[("LGSP__X__Y", "1")],
    )
    .unwrap_err();
    assert_eq!(problems.0.len(), 4, "{problems}");
    assert!(problems.to_string().contains("environment variable LGSP__X__Y"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let problems = Settings::load(Some(&PathBuf::from("no/such/file.toml")), std::iter::empty()).unwrap_err();
    assert!(problems.to_string().contains("no/such/file.toml"), "{problems}");
}

#[test]
fn an_adapter_needs_a_node_and_its_papers() {
    let problems = adapter::Settings::load(None, std::iter::empty()).unwrap_err();
    let subjects: Vec<_> = problems.0.iter().map(|problem| problem.subject.as_str()).collect();
    assert_eq!(subjects, ["node.url", "node.ca", "node.certificate", "node.key"]);
    assert!(
        problems.to_string().contains("config/adapter.toml (built in)"),
        "{problems}"
    );
    for (variable, value, subject) in [
        ("LGSP__ADAPTER__KIND", "igate", "adapter.kind"),
        ("LGSP__ADAPTER__SYSTEMS", "[\"../x\"]", "adapter.systems[0]"),
        ("LGSP__NODE__DATA_DIR", "x", "LGSP__NODE__DATA_DIR"),
    ] {
        let environment = std::iter::once((variable.to_owned(), value.to_owned()));
        let problems = adapter::Settings::load(None, environment).unwrap_err();
        assert!(
            problems.0.iter().any(|problem| problem.subject == subject),
            "{variable}: {problems}"
        );
    }
}

/// The bounds that the references tell are those that are checked.
#[test]
fn a_number_just_outside_the_bounds_of_the_reference_is_refused() {
    let node = |overlay: &str| load(Some(overlay), &[]).is_ok();
    assert!(
        bounds_that_hold(REFERENCE.text, node) >= 9,
        "few numbers tell their bounds"
    );
    let adapter = |overlay: &str| {
        let named = "[node]\nurl = \"https://node:1\"\nca = \"a\"\ncertificate = \"b\"\nkey = \"c\"\n";
        let whole = match overlay.strip_prefix("[node]\n") {
            Some(rest) => format!("{named}{rest}"),
            None => format!("{named}{overlay}"),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("my.toml");
        std::fs::write(&path, whole).unwrap();
        adapter::Settings::load(Some(&path), std::iter::empty()).is_ok()
    };
    assert!(
        bounds_that_hold(adapter::REFERENCE.text, adapter) >= 9,
        "few numbers tell their bounds"
    );
}

/// Holds each number of a reference that tells its bounds against them; how many there are.
fn bounds_that_hold(reference: &str, is_taken: impl Fn(&str) -> bool) -> usize {
    let mut comment = String::new();
    let (mut section, mut checked) = (String::new(), 0);
    for line in reference.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
        } else if let Some(text) = line.strip_prefix('#') {
            comment.push_str(text);
        } else if let Some((name, value)) = line.split_once(" = ") {
            let bounds = comment.rsplit('.').find_map(|part| part.trim().split_once(" to "));
            let bounds = bounds.and_then(|(least, most)| Some((least.parse::<i64>().ok()?, most.parse::<i64>().ok()?)));
            if let (Some((least, most)), Ok(_)) = (bounds, value.parse::<i64>()) {
                let with = |number: i64| is_taken(&format!("[{section}]\n{name} = {number}\n"));
                assert!(with(least) && with(most), "{section}.{name}: {least} to {most}");
                assert!(
                    !with(least - 1) && !with(most + 1),
                    "{section}.{name}: {least} to {most}"
                );
                checked += 1;
            }
            comment.clear();
        }
    }
    checked
}
