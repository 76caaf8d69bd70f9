//! What a node must not start with, and command lines that make no sense.

use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::case::{CommandLine, Configuration, InItsPlace, Spoil, Start, cases};
use super::forge::{hex, repeat};
use crate::support::{Ended, Home, Node, data, repository, run, run_into, to_lgsp};

/// How much of a ledger is overwritten with junk, in bytes.
const JUNK_BYTES: usize = 100;

#[test]
fn bad_settings_registries_and_folders_are_refused_with_their_place() {
    let mut table = Vec::new();
    for case in cases::<Configuration>("configuration.toml") {
        let mut scene = Scene::of(&case);
        for command in &case.commands {
            table.extend(scene.start(&case, *command));
        }
    }
    assert!(
        table.is_empty(),
        "{} cases disagree:\n{}",
        table.len(),
        table.join("\n")
    );
}

#[test]
fn command_lines_that_make_no_sense_end_with_a_word_and_a_code() {
    let mut table = Vec::new();
    for case in cases::<CommandLine>("command.toml") {
        let home = Home::new();
        let settings = home.settings_file();
        let fill = |argument: &String| {
            let argument = argument.replace("{settings}", settings.to_str().unwrap());
            argument.replace("{folder}", home.root().to_str().unwrap())
        };
        let arguments: Vec<String> = case.arguments.iter().map(fill).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let command = to_lgsp(&arguments);
        let ended = match (case.closed, case.full) {
            (true, _) => run_into(command, closed_pipe(), io::empty()),
            (_, true) => run_into(
                command,
                File::options().write(true).open("/dev/full").unwrap().into(),
                io::empty(),
            ),
            _ => run(command),
        };
        let wrong = [ill_ended(&ended, case.exit), unsaid(&ended, &case.says)].concat();
        table.extend(row(&case.name, &wrong, &ended));
    }
    assert!(
        table.is_empty(),
        "{} cases disagree:\n{}",
        table.len(),
        table.join("\n")
    );
}

/// The writing end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// What is wrong with how a command ended.
fn ill_ended(ended: &Ended, exit: i32) -> Vec<String> {
    let mut wrong = Vec::new();
    if ended.late {
        wrong.push("it did not end".to_owned());
    } else if ended.code != Some(exit) {
        wrong.push(format!("it ended with {:?}, not {exit}", ended.code));
    }
    // Nobody sits before a screen here.
    for word in ["panicked", "RUST_BACKTRACE", "\u{1b}["]
        .into_iter()
        .filter(|word| ended.err.contains(word))
    {
        wrong.push(format!("{word:?} is in what it said"));
    }
    wrong
}

fn unsaid(ended: &Ended, says: &[String]) -> Vec<String> {
    let missing = says.iter().filter(|word| !ended.err.contains(word.as_str()));
    missing.map(|word| format!("it does not say: {word}")).collect()
}

/// One row of the table of disagreements; none if there is none.
fn row(name: &str, wrong: &[String], ended: &Ended) -> Option<String> {
    (!wrong.is_empty()).then(|| {
        format!(
            "{name}\n  {}\n    | {}",
            wrong.join("\n  "),
            ended.err.replace('\n', "\n    | ")
        )
    })
}

/// The files of one case.
struct Scene {
    home: Home,
    settings: PathBuf,
    registry: PathBuf,
    /// A node that serves the folder already.
    other: Option<Node>,
}

impl Scene {
    fn of(case: &Configuration) -> Self {
        let (home, other) = match case.spoil {
            None => (Home::new(), None),
            Some(Spoil::InUse) => {
                let other = Node::start(Home::new());
                (Home::new(), Some(other))
            }
            Some(spoil) => (spoilt(spoil), None),
        };
        let settings = home.root().join("case.toml");
        match case.settings_is {
            Some(InItsPlace::Missing) => {}
            Some(InItsPlace::Folder) => fs::create_dir(&settings).unwrap(),
            None => {
                let mut text = case.settings.clone().into_bytes();
                repeat(&mut text, &case.repeat);
                text.extend(hex(&case.settings_hex));
                fs::write(&settings, text).unwrap();
            }
        }
        let registry = match &case.registry {
            None => data("registry/test.toml"),
            Some(text) => {
                let path = home.root().join("registry.toml");
                fs::write(&path, text).unwrap();
                path
            }
        };
        Self {
            home,
            settings,
            registry,
            other,
        }
    }

    /// Runs one command and says what is wrong with its refusal.
    fn start(&mut self, case: &Configuration, start: Start) -> Option<String> {
        let mut command = match start {
            Start::Config => to_lgsp(&["config", "--check"]),
            Start::Serve => to_lgsp(&["serve"]),
        };
        command.arg("--config").arg(&self.settings);
        self.place(&mut command, case);
        let ended = run(command);
        let mut says: Vec<String> = case
            .says
            .iter()
            .chain(&case.place)
            .map(|words| self.named(words))
            .collect();
        says.extend(case.subject.iter().map(|subject| format!("`{subject}`")));
        if let Some(code) = &case.code {
            says.extend([code.clone(), "mend: ".to_owned()]);
        }
        let mut wrong = [ill_ended(&ended, case.exit), unsaid(&ended, &says)].concat();
        for word in case.never.iter().filter(|word| ended.err.contains(word.as_str())) {
            wrong.push(format!("it tells {word}"));
        }
        if self.other.as_mut().is_some_and(|other| !other.is_alive()) {
            wrong.push("the node that runs was ended".to_owned());
        }
        row(&format!("{} ({start:?})", case.name), &wrong, &ended)
    }

    /// Where the node of the case lies, unless the case itself says so: by the environment, so that the case's file
    /// stays as it is written.
    fn place(&self, command: &mut Command, case: &Configuration) {
        let folder = self
            .other
            .as_ref()
            .map_or_else(|| self.home.data(), |other| other.home().data());
        command.env("LGSP__NODE__DATA_DIR", folder);
        if !case.settings.contains("listen") {
            command.env("LGSP__VXP__LISTEN", "127.0.0.1:0");
        }
        if !case.settings.contains("[contracts]") {
            let contracts = repository("config/contracts");
            command.env("LGSP__CONTRACTS__FOLDERS", format!("['{}']", contracts.display()));
        }
        if !case.settings.contains("[registry]") {
            command.env("LGSP__REGISTRY__FILES", format!("['{}']", self.registry.display()));
        }
        command.envs(&case.environment);
    }

    /// `settings:3` as the file that it is.
    fn named(&self, words: &str) -> String {
        match words.split_once(':') {
            Some(("settings", line)) => format!("{}:{line}", self.settings.display()),
            Some(("registry", line)) => format!("{}:{line}", self.registry.display()),
            _ => words.to_owned(),
        }
    }
}

/// The folder of a node that has run once, and what became of it.
fn spoilt(spoil: Spoil) -> Home {
    let mut node = Node::start(Home::new());
    node.stop();
    let home = node.into_home();
    let secret = home.secret_of("vxp.test.11");
    let key = |name: &str| home.data().join("keys").join(name);
    let ledger = home.data().join("ledger/data.ledger");
    let open = |path: &Path| fs::set_permissions(path, Permissions::from_mode(0o644)).unwrap();
    match spoil {
        Spoil::Nothing | Spoil::InUse => {}
        Spoil::SecretOpen => open(&secret),
        Spoil::SecretEmpty => fs::write(secret, "").unwrap(),
        Spoil::SecretOutside => {
            fs::remove_file(&secret).unwrap();
            symlink(key("node.key"), secret).unwrap();
        }
        Spoil::KeyOpen => open(&key("node.key")),
        Spoil::KeyLost => fs::remove_file(key("id.key")).unwrap(),
        Spoil::KeyCut => File::options()
            .write(true)
            .open(key("log.key"))
            .unwrap()
            .set_len(31)
            .unwrap(),
        Spoil::LedgerEmpty => fs::write(ledger, "").unwrap(),
        Spoil::LedgerJunk => {
            let mut bytes = fs::read(&ledger).unwrap();
            bytes[..JUNK_BYTES].fill(b'x');
            fs::write(ledger, bytes).unwrap();
        }
        Spoil::LedgerLost => fs::remove_file(ledger).unwrap(),
    }
    home
}
