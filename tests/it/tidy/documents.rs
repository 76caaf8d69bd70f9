//! What README.md, ARCHITECTURE.md and CONTRIBUTING.md name exists: files, commands with their flags, settings.

use std::collections::BTreeSet;

use toml::{Table, Value};

use super::tree::{folders, read, root, texts};
use crate::support::{run, to_lgsp};

/// Each with the most lines that anybody reads.
const DOCUMENTS: [(&str, usize); 3] = [("README.md", 80), ("ARCHITECTURE.md", 200), ("CONTRIBUTING.md", 160)];

/// `section.name` of everything in config/lgsp.toml.
pub(super) fn settings() -> BTreeSet<String> {
    let sections: Table = read("config/lgsp.toml").parse().unwrap();
    let names = |(section, settings): (&String, &Value)| -> Vec<String> {
        let settings = settings.as_table().expect("a setting outside a section");
        settings.keys().map(|name| format!("{section}.{name}")).collect()
    };
    sections.iter().flat_map(names).collect()
}

/// What stands in backticks in running text, and the lines between fences.
struct Quoted {
    spans: Vec<String>,
    fenced: Vec<String>,
}

impl Quoted {
    fn of(document: &str) -> Self {
        let (mut spans, mut fenced) = (Vec::new(), Vec::new());
        let mut inside = false;
        for line in read(document).lines() {
            if line.trim_start().starts_with("```") {
                inside = !inside;
            } else if inside {
                fenced.push(line.trim().to_owned());
            } else {
                spans.extend(line.split('`').skip(1).step_by(2).map(String::from));
                spans.extend(
                    line.split("](")
                        .skip(1)
                        .filter_map(|rest| rest.split(')').next())
                        .map(String::from),
                );
            }
        }
        assert!(!inside, "{document}: a fence is not closed");
        Self { spans, fenced }
    }

    /// Whatever a reader may type.
    fn commands(&self) -> impl Iterator<Item = &str> {
        let lines = self.fenced.iter().map(|line| line.trim_start_matches("$ "));
        let lines = lines.chain(self.spans.iter().map(String::as_str));
        lines.filter(|line| line.starts_with("make ") || line.starts_with("lgsp "))
    }
}

/// Is this meant as the path of a file or folder of the checkout?
fn is_path(span: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || "._-/*<>".contains(c);
    let ending = span.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is_file = ["rs", "md", "toml", "cddl", "lock"].contains(&ending);
    span.chars().all(letters) && !span.starts_with('/') && (span.contains('/') || is_file)
}

/// `*`, `<kind>` and their like stand for any one name; a crate's own files may be named from its folder on.
fn exists(path: &str) -> bool {
    ["", "crates/", "crates/lgsp-adapters/src/"].iter().any(|base| {
        let segments: Vec<_> = path.trim_end_matches('/').split('/').collect();
        let mut reached = vec![root().join(base)];
        for segment in segments {
            let any = segment.contains(['*', '<']);
            let next = |folder: std::path::PathBuf| {
                let names = if any {
                    super::tree::names(&folder)
                } else {
                    vec![segment.to_owned()]
                };
                names
                    .into_iter()
                    .map(move |name| folder.join(name))
                    .filter(|path| path.exists())
            };
            reached = reached
                .into_iter()
                .filter(|path| path.is_dir())
                .flat_map(next)
                .collect();
        }
        !reached.is_empty()
    })
}

#[test]
fn a_document_is_no_longer_than_anybody_reads() {
    for (document, most) in DOCUMENTS {
        let lines = read(document).lines().count();
        assert!(lines <= most, "{document} has {lines} lines, at most {most}: say less");
    }
}

#[test]
fn every_file_that_a_document_names_exists() {
    for (document, _) in DOCUMENTS {
        let spans = Quoted::of(document).spans;
        let paths: Vec<_> = spans.iter().filter(|span| is_path(span)).collect();
        assert!(
            !paths.is_empty(),
            "{document} names no file: this test would say nothing"
        );
        for path in paths {
            assert!(exists(path), "{document} names `{path}`, which does not exist");
        }
    }
}

#[test]
fn every_setting_that_a_document_names_exists() {
    let known = settings();
    let sections: BTreeSet<_> = known.iter().filter_map(|setting| setting.split('.').next()).collect();
    for (document, _) in DOCUMENTS {
        for span in Quoted::of(document).spans {
            let name = match span.strip_prefix("LGSP__") {
                Some(variable) => variable.split('=').next().unwrap().to_lowercase().replace("__", "."),
                None => span.split(" = ").next().unwrap().to_owned(),
            };
            let is_setting = name
                .split_once('.')
                .is_some_and(|(section, _)| sections.contains(section));
            assert!(
                !is_setting || is_path(&name) || known.contains(&name),
                "{document} names the setting `{name}`"
            );
        }
    }
}

#[test]
fn every_command_that_a_document_names_exists() {
    let makefile = read("Makefile");
    let mut checked = 0;
    for (document, _) in DOCUMENTS {
        for command in Quoted::of(document).commands() {
            let mut words = command.split_whitespace();
            if words.next() == Some("make") {
                let target = words.next().unwrap();
                let recipe = format!("\n{target}:");
                assert!(
                    makefile.contains(&recipe),
                    "{document}: `{command}`, but make knows no {target}"
                );
            } else {
                // A flag before the subcommand's name is lgsp's own.
                let words: Vec<_> = words.collect();
                let subcommand = words.first().filter(|word| !word.starts_with('-'));
                help_knows(document, command, subcommand.copied(), &words);
            }
            checked += 1;
        }
    }
    assert!(
        checked > 5,
        "the documents name {checked} commands: this test says too little"
    );
}

/// Asks the program itself.
fn help_knows(document: &str, command: &str, subcommand: Option<&str>, words: &[&str]) {
    let asked: Vec<_> = subcommand.into_iter().chain(["--help"]).collect();
    let help = run(to_lgsp(&asked));
    assert_eq!(help.code, Some(0), "{document}: `{command}`: {}", help.err);
    for flag in words.iter().filter(|word| word.starts_with("--")) {
        let flag = flag.split(['=', ']']).next().unwrap();
        assert!(
            help.out.contains(flag),
            "{document}: `{command}`, but its help knows no {flag}"
        );
    }
}

/// A number has its least and its greatest value, a text what it is made of; the unit stands in the name or here.
#[test]
fn every_setting_says_what_it_is_and_its_bounds() {
    for file in ["config/lgsp.toml", "config/adapter.toml"] {
        says_what_each_is(file);
    }
    assert!(settings().len() >= 20, "the settings were not read");
}

fn says_what_each_is(file: &str) {
    let text = read(file);
    let lines: Vec<_> = text.lines().collect();
    for (nth, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains(" = ") && !line.starts_with('#'))
    {
        let comment = lines[..nth].iter().rev().take_while(|line| line.starts_with('#'));
        let comment: String = comment.copied().collect::<Vec<_>>().into_iter().rev().collect();
        assert!(!comment.is_empty(), "{file}: nothing is said of `{line}`");
        let (_, value) = line.split_once(" = ").unwrap();
        if value.starts_with(|c: char| c.is_ascii_digit()) {
            let words: Vec<_> = comment.split([' ', '.', ',', ';', ':']).collect();
            let number = |word: &str| word.parse::<u64>().is_ok();
            let bounded = words
                .windows(3)
                .any(|three| number(three[0]) && three[1] == "to" && number(three[2]));
            assert!(bounded, "{file}: `{line}` has no bounds (`1 to 100`)");
        }
    }
}

#[test]
fn every_crate_stands_in_the_list_of_the_architecture() {
    let architecture = read("ARCHITECTURE.md");
    for name in folders("crates") {
        assert!(
            architecture.contains(&format!("`{name}`")),
            "ARCHITECTURE.md does not name `{name}`"
        );
    }
    let cddl = texts("crates/lgsp-audit", &["cddl"]);
    assert!(
        cddl.iter().all(|file| architecture.contains(&file.path)),
        "the format of leaves is not named"
    );
}

#[test]
fn make_has_few_recipes_of_one_line_each() {
    let makefile = read("Makefile");
    let recipes: Vec<_> = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .collect();
    let recipes: Vec<_> = recipes
        .into_iter()
        .filter(|line| line.contains(':') && ![":=", "?="].iter().any(|sign| line.contains(sign)))
        .collect();
    let lines = makefile.lines().filter(|line| line.starts_with('\t')).count();
    assert!(recipes.len() <= 8, "{recipes:?}");
    assert_eq!(recipes.len(), lines, "a recipe is one line that a person can paste");
}
