use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::super::scope::Scope;
use super::*;

const NOW: UnixMs = UnixMs(1_000_000);
const LATER: UnixMs = UnixMs(2_000_000);

fn system() -> Who {
    Who::parse("system/stp.01").unwrap()
}

fn create(folder: &Path, scopes: &[Scope]) -> (Token, TokenRow) {
    let scopes = Scopes::new(scopes.iter().copied()).unwrap();
    TokenFile::of(folder).create(system(), scopes, NOW, LATER).unwrap()
}

fn path(folder: &Path) -> PathBuf {
    folder.join("tokens/tokens.json")
}

#[test]
fn a_token_names_its_owner_until_the_millisecond_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let (token, row) = create(folder.path(), &[Scope::Publish]);
    let tokens = Tokens::open(folder.path()).unwrap();
    let found = tokens.find(&token, UnixMs(LATER.0 - 1)).unwrap();
    assert_eq!((&found.who, &found), (&system(), &row));
    assert!(found.scopes.has(Scope::Publish) && !found.scopes.has(Scope::Receive));
    assert_eq!(tokens.find(&token, LATER), Err(TokenError::Expired(row.id)));
}

#[test]
fn a_text_that_is_not_the_whole_token_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let text = create(folder.path(), &[Scope::Publish]).0.reveal();
    assert_eq!(text.len(), PREFIX.len() + 64);
    for length in 0..text.len() {
        assert_eq!(Token::parse(&text[..length]), Err(TokenError::Malformed), "{length}");
    }
    for bad in [
        format!("{text}0"),
        text.to_uppercase(),
        format!(" {text}"),
        text.replace("lgsp_", ""),
    ] {
        assert_eq!(Token::parse(&bad), Err(TokenError::Malformed));
    }
    // Each single digit counts.
    let tokens = Tokens::open(folder.path()).unwrap();
    for at in PREFIX.len()..text.len() {
        let mut other = text.clone().into_bytes();
        other[at] = if other[at] == b'0' { b'1' } else { b'0' };
        let other = Token::parse(std::str::from_utf8(&other).unwrap()).unwrap();
        assert_eq!(tokens.find(&other, NOW), Err(TokenError::Unknown), "{at}");
    }
}

#[test]
fn a_change_of_the_file_counts_at_the_next_call() {
    let folder = tempfile::tempdir().unwrap();
    let tokens = Tokens::open(folder.path()).unwrap();
    let (first, row) = create(folder.path(), &[Scope::Publish]);
    assert!(tokens.find(&first, NOW).is_ok());
    let (second, _) = create(folder.path(), &[Scope::Trace]);
    TokenFile::of(folder.path()).revoke(row.id).unwrap();
    assert_eq!(tokens.find(&first, NOW), Err(TokenError::Unknown));
    assert!(tokens.find(&second, NOW).is_ok());
    std::fs::remove_file(path(folder.path())).unwrap();
    assert_eq!(tokens.find(&second, NOW), Err(TokenError::Unknown));
}

#[test]
fn a_file_that_cannot_be_used_changes_nothing_and_lets_no_node_start() {
    let folder = tempfile::tempdir().unwrap();
    let (token, _) = create(folder.path(), &[Scope::Publish]);
    let tokens = Tokens::open(folder.path()).unwrap();
    let open_to = |mode| std::fs::set_permissions(path(folder.path()), std::fs::Permissions::from_mode(mode)).unwrap();
    open_to(0o640);
    assert!(tokens.find(&token, NOW).is_ok());
    let error = Tokens::open(folder.path()).unwrap_err();
    assert!(matches!(
        error,
        TokenFileError::File(super::super::files::FileError::OpenToOthers { mode: 0o640, .. })
    ));
    open_to(0o600);
    std::fs::write(path(folder.path()), "{\"next_id\": 1, \"tokens\": [").unwrap();
    assert!(tokens.find(&token, NOW).is_ok());
    assert!(matches!(
        Tokens::open(folder.path()),
        Err(TokenFileError::Damaged { .. })
    ));
}

#[test]
fn the_secret_is_in_no_file_and_no_text_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let (token, row) = create(folder.path(), &[Scope::Publish]);
    let secret = token.reveal();
    let digits = secret.strip_prefix(PREFIX).unwrap();
    let kept = std::fs::read_to_string(path(folder.path())).unwrap();
    for text in [
        kept,
        format!("{token:?} {row:?}"),
        format!("{:?}", Tokens::open(folder.path())),
    ] {
        assert!(!text.contains(digits));
    }
    let mode = std::fs::metadata(path(folder.path())).unwrap().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn tokens_are_for_systems_and_operators_and_an_id_is_given_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = TokenFile::of(folder.path());
    let make = |who: &str, scope| {
        let scopes = Scopes::new([scope]).unwrap();
        file.create(Who::parse(who).unwrap(), scopes, NOW, LATER)
    };
    assert!(matches!(
        make("adapter/a", Scope::Publish),
        Err(TokenFileError::Adapter { .. })
    ));
    assert!(matches!(
        make("operator/a", Scope::Publish),
        Err(TokenFileError::Scopes)
    ));
    let (_, first) = make("operator/a", Scope::Trace).unwrap();
    file.revoke(first.id).unwrap();
    assert!(matches!(file.revoke(first.id), Err(TokenFileError::NoSuchToken { .. })));
    let (_, second) = make("operator/a", Scope::Trace).unwrap();
    assert_ne!(first.id, second.id);
}

#[test]
fn commands_at_the_same_time_lose_no_token() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| create(folder.path(), &[Scope::Publish]));
        }
    });
    let ids: std::collections::BTreeSet<_> = TokenFile::of(folder.path())
        .list()
        .unwrap()
        .iter()
        .map(|row| row.id)
        .collect();
    assert_eq!(ids.len(), 8);
}
