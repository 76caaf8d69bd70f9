//! Who is it: certificates, tokens, revocation, rotation, and the door that odd sockets knock on.

mod commands;
mod door;
mod odd_sockets;
mod paper;

use std::time::Duration;

use lgsp_api::{Reload, TlsError};
use paper::{Paper, Sheet};
use rcgen::{ExtendedKeyUsagePurpose, IsCa, SanType};
use time::OffsetDateTime;

use door::Door;

const DAY: Duration = Duration::from_secs(24 * 3600);
const DAY_MS: u64 = 24 * 3600 * 1000;
const STP: &str = "lgsp://lgsp.test.vn/system/stp.01";

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

#[tokio::test]
async fn whoever_shows_a_certificate_of_the_authority_is_known_by_its_uri() {
    let paper = Paper::new();
    let door = Door::open(&paper).await;
    for who in ["system/stp.01", "adapter/vxp", "operator/lan"] {
        let mut call = door.connect(Some(&paper.issue(who))).await.unwrap();
        assert_eq!(call.ask("trace").await, who);
        assert_eq!(call.ask("trace").await, who, "a second call");
    }
    let mut operator = door.connect(Some(&paper.issue("operator/lan"))).await.unwrap();
    assert_eq!(operator.ask("publish").await, "CALLER_KIND");
    assert_eq!(
        door.connect(None).await.unwrap().ask("trace").await,
        "CREDENTIAL_MISSING"
    );
    door.close().await;
}

#[tokio::test]
async fn a_certificate_that_is_not_good_ends_the_handshake() {
    let paper = Paper::new();
    let other = Paper::new();
    let door = Door::open(&paper).await;
    let now = OffsetDateTime::now_utc();
    let by_hand = |change: &dyn Fn(&mut Sheet)| paper.by_hand(vec![uri(STP)], change);
    for (case, certificate, alert) in [
        ("of another authority", other.issue("system/stp.01"), "UnknownCA"),
        ("signed by itself", paper.signed_by_itself(STP), "UnknownCA"),
        (
            "expired",
            by_hand(&|sheet| {
                sheet.not_before = now - DAY * 2;
                sheet.not_after = now - DAY;
            }),
            "CertificateExpired",
        ),
        (
            "not yet valid",
            by_hand(&|sheet| {
                sheet.not_before = now + DAY;
                sheet.not_after = now + DAY * 2;
            }),
            "CertificateExpired",
        ),
        (
            "for servers",
            by_hand(&|sheet| sheet.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            "UnsupportedCertificate",
        ),
        (
            "an authority itself",
            by_hand(&|sheet| sheet.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained)),
            "CertificateUnknown",
        ),
    ] {
        let error = door.refused(Some(&certificate)).await;
        assert!(error.contains(alert), "{case}: {error}");
    }
    assert!(
        door.connect(Some(&by_hand(&|_| {}))).await.is_ok(),
        "one made by hand as the command makes it"
    );
    door.close().await;
}

#[tokio::test]
async fn a_certificate_names_one_caller_of_this_domain_or_nobody() {
    let paper = Paper::new();
    let door = Door::open(&paper).await;
    let host = SanType::DnsName("stp.test.vn".try_into().unwrap());
    for (names, answer) in [
        (vec![uri(STP)], "system/stp.01"),
        (vec![host.clone(), uri(STP)], "system/stp.01"),
        // The common name of this one is `system/stp.01` as well.
        (vec![], "CERTIFICATE_NAME"),
        (vec![host], "CERTIFICATE_NAME"),
        (
            vec![uri(STP), uri("lgsp://lgsp.test.vn/system/stp.02")],
            "CERTIFICATE_NAME",
        ),
        (vec![uri(STP), uri(STP)], "CERTIFICATE_NAME"),
        (vec![uri("https://lgsp.test.vn/system/stp.01")], "CERTIFICATE_NAME"),
        (vec![uri("lgsp://lgsp.test.vn/system/stp.01?x")], "CERTIFICATE_NAME"),
        (vec![uri("lgsp://lgsp.test.vn/system/stp%2e01")], "CERTIFICATE_NAME"),
        (vec![uri("lgsp://LGSP.test.vn/system/stp.01")], "CERTIFICATE_NAME"),
        (vec![uri("lgsp://lgsp.other.vn/system/stp.01")], "CERTIFICATE_DOMAIN"),
    ] {
        let certificate = paper.by_hand(names.clone(), &|_| {});
        let mut call = door.connect(Some(&certificate)).await.unwrap();
        assert_eq!(call.ask("publish").await, answer, "{names:?}");
    }
    door.close().await;
}

#[tokio::test]
async fn a_revoked_certificate_is_refused_without_a_restart_on_old_connections_too() {
    let paper = Paper::new();
    let (revoked, good) = (paper.issue("system/stp.01"), paper.issue("system/stp.02"));
    let door = Door::open(&paper).await;
    let mut old = door.connect(Some(&revoked)).await.unwrap();
    let mut other = door.connect(Some(&good)).await.unwrap();
    assert_eq!(old.ask("publish").await, "system/stp.01");
    paper.revoke("stp.01");
    // By the door's own look at the files.
    let answered = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            match old.ask("publish").await.as_str() {
                "system/stp.01" => tokio::task::yield_now().await,
                answer => return answer.to_owned(),
            }
        }
    });
    assert_eq!(answered.await.unwrap(), "CERTIFICATE_NOT_GOOD");
    assert!(door.refused(Some(&revoked)).await.contains("CertificateRevoked"));
    assert_eq!(other.ask("publish").await, "system/stp.02", "nobody else is dropped");
    assert!(door.connect(Some(&good)).await.is_ok());
    door.close().await;
}

#[tokio::test]
async fn what_expires_while_a_connection_lives_proves_nothing_from_then_on() {
    let paper = Paper::new();
    let door = Door::open(&paper).await;
    let now = OffsetDateTime::now_utc();
    let short = paper.by_hand(vec![uri(STP)], &|sheet| sheet.not_after = now + DAY / 24);
    let client = door.client(Some(&short), b"h2");
    let mut call = door.connect_as(client.clone()).await.unwrap();
    let mut long = door.connect(Some(&paper.issue("system/stp.02"))).await.unwrap();
    assert_eq!(call.ask("publish").await, "system/stp.01");
    door.wait_ms(DAY_MS / 12);
    assert_eq!(call.ask("publish").await, "CERTIFICATE_NOT_GOOD");
    let error = door.connect_as(client).await.expect_err("a session was resumed");
    assert!(error.to_string().contains("CertificateExpired"), "{error}");
    assert_eq!(long.ask("publish").await, "system/stp.02");
    // The authority's list ends after 30 days: then nobody can be known any more, as nobody knows who is revoked.
    let longest = paper.by_hand(vec![uri(STP)], &|sheet| sheet.not_after = now + DAY * 90);
    door.wait_ms(31 * DAY_MS);
    let error = door.refused(Some(&longest)).await;
    assert!(error.contains("UnknownCA"), "{error}");
    paper.ca(&["crl", "--crl-days", "60"]);
    assert_eq!(door.tls.reload().unwrap(), Reload::Changed);
    assert_eq!(
        door.connect(Some(&longest)).await.unwrap().ask("publish").await,
        "system/stp.01"
    );
    door.close().await;
}

#[tokio::test]
async fn without_a_list_of_its_own_authority_no_certificate_is_good() {
    let (paper, other) = (Paper::new(), Paper::new());
    let good = paper.issue("system/stp.01");
    // The list of another authority says nothing of this one's certificates.
    std::fs::copy(other.file("ca/crl.pem"), paper.file("ca/crl.pem")).unwrap();
    let door = Door::open(&paper).await;
    let error = door.refused(Some(&good)).await;
    assert!(error.contains("UnknownCA"), "{error}");
    assert_eq!(
        door.connect(None).await.unwrap().ask("trace").await,
        "CREDENTIAL_MISSING"
    );
    // A list in this one's name, signed by another key.
    std::fs::write(paper.file("ca/crl.pem"), paper.forged_list()).unwrap();
    assert_eq!(door.tls.reload().unwrap(), Reload::Changed);
    assert!(door.connect(Some(&good)).await.is_err());
    paper.ca(&["crl"]);
    assert_eq!(door.tls.reload().unwrap(), Reload::Changed);
    assert!(door.connect(Some(&good)).await.is_ok());
    door.close().await;
}

#[tokio::test]
async fn the_node_gets_a_new_certificate_while_its_connections_stay() {
    let paper = Paper::new();
    let client = paper.issue("system/stp.01");
    let door = Door::open_unwatched(&paper).await;
    let mut old = door.connect(Some(&client)).await.unwrap();
    assert_eq!(door.tls.reload().unwrap(), Reload::Unchanged);
    // In the middle of a rotation: the new key is there, the new certificate not yet.
    let certificate = std::fs::read(paper.file("node/server.pem")).unwrap();
    paper.ca(&[
        "issue",
        "--host",
        "localhost",
        "--out",
        &paper.path("node"),
        "--replace",
    ]);
    let renewed = std::fs::read(paper.file("node/server.pem")).unwrap();
    std::fs::write(paper.file("node/server.pem"), &certificate).unwrap();
    assert!(matches!(door.tls.reload(), Err(TlsError::Pair { .. })));
    let mut between = door.connect(Some(&client)).await.unwrap();
    assert_eq!(between.server(), old.server());
    std::fs::write(paper.file("node/server.pem"), renewed).unwrap();
    assert_eq!(door.tls.reload().unwrap(), Reload::Changed);
    let mut new = door.connect(Some(&client)).await.unwrap();
    assert_ne!(new.server(), old.server());
    for call in [&mut old, &mut between, &mut new] {
        assert_eq!(call.ask("publish").await, "system/stp.01");
    }
    door.close().await;
}

#[tokio::test]
async fn a_bad_file_keeps_what_was_in_force_and_is_named() {
    use std::os::unix::fs::PermissionsExt;

    let paper = Paper::new();
    let client = paper.issue("system/stp.01");
    let door = Door::open_unwatched(&paper).await;
    for file in ["node/server.pem", "node/server.key", "ca/ca.pem", "ca/crl.pem"] {
        let path = paper.file(file);
        let good = std::fs::read(&path).unwrap();
        for bad in [
            &b""[..],
            b"no PEM",
            b"-----BEGIN CERTIFICATE-----\nAAAA\n",
            &good[..good.len() / 2],
        ] {
            std::fs::write(&path, bad).unwrap();
            let error = paper::chain(&door.tls.reload().unwrap_err());
            let named = error.contains(file) || error.contains("client roots");
            assert!(named, "{file}: {error}");
        }
        std::fs::write(&path, &good).unwrap();
        assert_eq!(door.tls.reload().unwrap(), Reload::Unchanged, "{file}");
    }
    let key = paper.file("node/server.key");
    for mode in [0o640, 0o604, 0o620] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let error = paper::chain(&door.tls.reload().unwrap_err());
        assert!(error.contains("chmod 600") && error.contains("server.key"), "{error}");
    }
    std::fs::remove_file(&key).unwrap();
    assert!(door.tls.reload().is_err());
    assert_eq!(
        door.connect(Some(&client)).await.unwrap().ask("publish").await,
        "system/stp.01"
    );
    door.close().await;
}

#[tokio::test]
async fn a_token_names_its_owner_for_its_scopes_until_it_is_revoked_or_expires() {
    let paper = Paper::new();
    let door = Door::open(&paper).await;
    let token = paper.token("system/stp.01", "publish,trace", 2);
    let mut call = door.connect(None).await.unwrap();
    for (ask, answer) in [
        (format!("publish Bearer {token}"), "system/stp.01"),
        (format!("trace bearer {token}"), "system/stp.01"),
        (format!("receive Bearer {token}"), "TOKEN_SCOPE"),
        (format!("publish Bearer {}", &token[..token.len() - 1]), "TOKEN_INVALID"),
        (format!("publish Bearer  {token}"), "TOKEN_INVALID"),
        (format!("publish Basic {token}"), "TOKEN_INVALID"),
        (format!("publish {token}"), "TOKEN_INVALID"),
        (
            format!("publish Bearer {}", token.replace("lgsp_", "lgsp_0")),
            "TOKEN_INVALID",
        ),
        (format!("publish Bearer lgsp_{}", "0".repeat(64)), "TOKEN_INVALID"),
        (String::from("publish Bearer "), "TOKEN_INVALID"),
        (format!("publish Bearer {token}\tBearer {token}"), "TOKEN_INVALID"),
    ] {
        assert_eq!(call.ask(&ask).await, answer, "{}", ask.replace(&token, "<token>"));
    }
    let ask = format!("publish Bearer {token}");
    door.wait_ms(2 * DAY_MS);
    assert_eq!(call.ask(&ask).await, "TOKEN_EXPIRED");
    let longer = paper.token("system/stp.01", "publish", 9);
    let ask = format!("publish Bearer {longer}");
    assert_eq!(call.ask(&ask).await, "system/stp.01");
    paper.revoke_token(2);
    assert_eq!(call.ask(&ask).await, "TOKEN_INVALID");
    door.close().await;
}

#[tokio::test]
async fn certificate_and_token_of_one_call_name_one_caller() {
    let paper = Paper::new();
    let door = Door::open(&paper).await;
    let own = paper.token("system/stp.01", "publish", 9);
    let others = paper.token("system/stp.02", "publish", 9);
    let mut call = door.connect(Some(&paper.issue("system/stp.01"))).await.unwrap();
    assert_eq!(call.ask(&format!("publish Bearer {own}")).await, "system/stp.01");
    assert_eq!(call.ask("receive").await, "system/stp.01");
    assert_eq!(
        call.ask(&format!("receive Bearer {own}")).await,
        "TOKEN_SCOPE",
        "the token may be for less"
    );
    assert_eq!(
        call.ask(&format!("publish Bearer {others}")).await,
        "CREDENTIALS_DIFFER"
    );
    let mut nobody = door.connect(Some(&paper.by_hand(vec![], &|_| {}))).await.unwrap();
    let answer = nobody.ask(&format!("publish Bearer {own}")).await;
    assert_eq!(answer, "CERTIFICATE_NAME", "a token mends no certificate");
    door.close().await;
}
