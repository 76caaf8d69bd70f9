//! Files beside a letter: in by a stream, out by a stream, each handle of use once.

use futures_util::stream;
use lgsp_api::{Link, Told};
use lgsp_proto::exchange::v1;
use lgsp_proto::exchange::v1::exchange_client::ExchangeClient;
use lgsp_proto::exchange::v1::upload_attachment_request::{Part, Start};
use lgsp_types::Digest;

use super::letter::{INFORMATION, JUSTICE, PROVINCE, letter, listed};
use super::node;

const MIB: usize = 1024 * 1024;

fn sheet(name: &str) -> Start {
    Start {
        name: name.to_owned(),
        media_type: String::from("application/pdf"),
        role: v1::attachment::Role::Attachment.into(),
        ..Start::default()
    }
}

fn start(name: &str) -> Part {
    Part::Start(sheet(name))
}

fn chunks(bytes: &[u8], size: usize) -> Vec<Part> {
    bytes
        .chunks(size)
        .map(|chunk| Part::Chunk(chunk.to_vec().into()))
        .collect()
}

async fn upload(
    client: &mut ExchangeClient<Link>,
    parts: Vec<Part>,
) -> Result<v1::UploadAttachmentResponse, Box<Told>> {
    let requests = parts
        .into_iter()
        .map(|part| v1::UploadAttachmentRequest { part: Some(part) });
    let answer = client.upload_attachment(stream::iter(requests)).await;
    answer
        .map(|answer| answer.into_inner())
        .map_err(|status| Box::new(Told::of(&status)))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_20_mib_goes_with_a_letter_and_comes_out_byte_for_byte() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let bytes: Vec<u8> = (0..=250).cycle().take(20 * MIB).collect();
    let parts = [vec![start("Phụ lục.pdf")], chunks(&bytes, MIB)].concat();
    let uploaded = upload(&mut sender, parts).await.unwrap();
    let attachment = uploaded.attachment.unwrap();
    assert_eq!(attachment.size_bytes, bytes.len() as u64);
    assert_eq!(&attachment.sha256[..], Digest::of(&bytes).as_bytes());

    let mut message = letter("1", &["H62.14"]);
    message.attachments = vec![uploaded.upload.unwrap()];
    let request = v1::PublishRequest {
        message: Some(message.clone()),
    };
    let mut stranger = node.exchange(PROVINCE).await;
    let mut stolen = message.clone();
    stolen.from = String::from("H62");
    let stolen = v1::PublishRequest { message: Some(stolen) };
    let told = Told::of(&stranger.publish(stolen).await.unwrap_err());
    assert_eq!(told.reason, "UPLOAD_UNKNOWN", "another's upload is not told from none");
    sender.publish(request.clone()).await.unwrap();
    let told = Told::of(&sender.publish(request).await.unwrap_err());
    assert_eq!(
        (told.reason.as_str(), told.fields[0].0.as_str()),
        ("UPLOAD_UNKNOWN", "message.attachments[0].handle")
    );

    let mut receiver = node.exchange(JUSTICE).await;
    let delivery_id = listed(&mut receiver, 1).await.remove(0).delivery_id;
    let read = |index| v1::ReadAttachmentRequest {
        delivery_id: delivery_id.clone(),
        index,
    };
    let mut stream = receiver.read_attachment(read(0)).await.unwrap().into_inner();
    let mut came = Vec::new();
    while let Some(chunk) = stream.message().await.unwrap() {
        came.extend_from_slice(&chunk.chunk);
    }
    assert!(came == bytes);
    let told = Told::of(&receiver.read_attachment(read(1)).await.unwrap_err());
    assert_eq!((told.status.as_str(), told.mend.is_empty()), ("NOT_FOUND", false));
    let told = Told::of(&stranger.read_attachment(read(0)).await.unwrap_err());
    assert_eq!(told.reason, "NOT_FOUND");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_wrong_says_where() {
    let node = node();
    let mut sender = node.exchange(INFORMATION).await;
    let wrong_digest = Part::Start(Start {
        sha256: vec![1; 32].into(),
        ..sheet("a.pdf")
    });
    let nameless = Part::Start(Start::default());
    let chunk = || Part::Chunk(vec![7; 10].into());
    let large = Part::Chunk(vec![7; MIB + 1].into());
    for (parts, reason, field) in [
        (vec![], "FIELD_MISSING", "start"),
        (vec![chunk()], "FIELD_MISSING", "start"),
        (vec![start("a"), start("a")], "FIELD_INVALID", "start"),
        (vec![nameless, chunk()], "FIELD_MISSING", "start.role"),
        (vec![start("a"), large], "CHUNK_TOO_LARGE", "chunk"),
        (vec![wrong_digest, chunk()], "HASH_MISMATCH", "start.sha256"),
    ] {
        let told = upload(&mut sender, parts).await.unwrap_err();
        assert_eq!(
            (told.reason.as_str(), told.fields[0].0.as_str()),
            (reason, field),
            "{told:?}"
        );
    }
    let mut letter = letter("1", &["H62.14"]);
    for part in ["a", "b"] {
        let original = Part::Start(Start {
            role: v1::attachment::Role::Original.into(),
            ..sheet(part)
        });
        let uploaded = upload(&mut sender, vec![original, chunk()]).await.unwrap();
        letter.attachments.push(uploaded.upload.unwrap());
    }
    let request = v1::PublishRequest { message: Some(letter) };
    let told = Told::of(&sender.publish(request).await.unwrap_err());
    assert_eq!(told.fields[0].0, "message.attachments[1]", "one original, and first");
}
