//! The play's second half: systems that speak gRPC, by the commands that anybody has.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::cast::System;
use super::narrator::Narrator;
use super::stage::Stage;
use crate::commands::Failure;
use crate::node::clock;

/// Number and notation of the letter.
const NUMBER: &str = "88/STP-VP";

/// Facts about what its sender sent in the whole play: two statuses and the letter, each accepted, collected, delivered.
const RECEIPTS: usize = 9;

/// What the contract of documents asks for: nothing of a packet, which the façade alone knows.
fn payload(sender: &System, receiver: &System) -> Value {
    let today = clock()().day_in_vietnam().iso_text();
    let (number, notation) = NUMBER.split_once('/').unwrap_or((NUMBER, "-"));
    json!({
        "id": format!("{},{today},{NUMBER}", sender.agency),
        "code": { "number": number, "notation": notation },
        "promulgation": { "place": "Phú Thọ", "date": today },
        "type": { "name": "Công văn" },
        "subject": "V/v phối hợp công tác",
        "signer": { "full_name": "Người Ký Mẫu" },
        "from": { "code": sender.agency, "name": sender.name },
        "to": [{ "code": receiver.agency, "name": receiver.name }],
        "business": { "kind": 0 },
    })
}

/// One department sends a letter with a file; another takes it; the sender hears of it.
pub(super) fn perform(stage: &Stage, narrator: &Narrator) -> Result<(), Failure> {
    let [_, sender, receiver] = stage.systems() else {
        return Err(Failure::cannot("the play has three parts"));
    };
    narrator.act("A letter by gRPC: one system sends it with a certificate, another takes it with a token")?;
    let folder = stage.clients().join(&sender.system);
    let (letter, annex) = (folder.join("letter.json"), folder.join("annex.txt"));
    fs::write(&letter, payload(sender, receiver).to_string())?;
    fs::write(&annex, "Phụ lục kèm theo công văn 88/STP-VP\n")?;
    let (letter, annex) = (letter.display().to_string(), annex.display().to_string());
    let send = [
        "send",
        "--json",
        "--from",
        &sender.agency,
        "--to",
        &receiver.agency,
        "--document",
        NUMBER,
        "--idempotency-key",
        NUMBER,
        "--attach",
        &annex,
        &letter,
    ];
    let sent = one(&call(stage, &send, &by_certificate(sender))?)?;
    let message = field(&sent, "message_id");
    narrator.say(
        sender.part,
        &format!("lgsp send: message {message} at {}", field(&sent, "position")),
    )?;
    let again = one(&call(stage, &send, &by_certificate(sender))?)?;
    expect(
        again.get("repeat") == Some(&Value::Bool(true)),
        "the same letter again is a repeat",
        &again,
    )?;
    narrator.say(
        sender.part,
        "the same command again: the same message, its first receipt",
    )?;

    let inbox = stage.clients().join(&receiver.system).join("inbox");
    let out = inbox.display().to_string();
    let receive = ["receive", "--once", "--out", &out];
    let got = one(&call(stage, &receive, &by_token(receiver))?)?;
    expect(field(&got, "message_id") == message, "the letter is taken", &got)?;
    let kept = field(&got, "folder");
    let whole = fs::read(Path::new(kept).join("01-annex.txt"))? == fs::read(&annex)?;
    expect(whole, "the annex has the same bytes", &got)?;
    narrator.say(receiver.part, &format!("lgsp receive: stored and acknowledged, {kept}"))?;

    let facts = RECEIPTS.to_string();
    let told = call(
        stage,
        &["tail", "--receipts", "--limit", &facts],
        &by_certificate(sender),
    )?;
    let about: Vec<&str> = told.lines().filter(|line| line.contains(message)).collect();
    expect(
        about.len() == 3,
        "the sender hears what became of its letter",
        &Value::from(told.as_str()),
    )?;
    narrator.say(sender.part, "lgsp tail --receipts: what became of it")?;
    narrator.show(&about.join("\n")).map_err(Failure::from)
}

/// The arguments that say who calls.
fn by_certificate(system: &System) -> Vec<String> {
    let paths = [&system.cert, &system.key].map(|path| path.display().to_string());
    let [cert, key] = paths;
    vec![String::from("--cert"), cert, String::from("--key"), key]
}

fn by_token(system: &System) -> Vec<String> {
    vec![String::from("--token-file"), system.token_file.display().to_string()]
}

/// What a command printed, which must have ended well.
fn call(stage: &Stage, arguments: &[&str], who: &[String]) -> Result<String, Failure> {
    let ca = stage.ca().display().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--node", stage.grpc(), "--ca", &ca]);
    all.extend(who.iter().map(String::as_str));
    let output = stage.command(&all)?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(told);
    }
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Failure::no(format!(
        "`lgsp {}` ended with {}:\n{told}{error}",
        arguments.join(" "),
        output.status
    )))
}

fn one(printed: &str) -> Result<Value, Failure> {
    serde_json::from_str(printed).map_err(|_| Failure::no(format!("one JSON object was expected: {printed}")))
}

fn field<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn expect(held: bool, what: &str, answered: &Value) -> Result<(), Failure> {
    if held {
        Ok(())
    } else {
        Err(Failure::no(format!("{what}: this was answered: {answered}")))
    }
}
