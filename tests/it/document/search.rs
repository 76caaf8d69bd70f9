//! Finding documents: by each thing that people know of one, in any spelling, and after a rebuild as before.

use lgsp_adapters::edxml_vxp::client::builder::DocumentPacket;
use serde_json::Value;

use super::{life, say, send};
use crate::support::{Home, INFORMATION, JUSTICE, Node, PROVINCE, written};

/// Letters of the large archive.
const MANY: u32 = 1_000;

/// The numbers that a search finds, page by page.
fn found(node: &Node, arguments: &[&str]) -> Vec<String> {
    let (mut numbers, mut after) = (Vec::new(), None::<String>);
    loop {
        let mut asked = [&["search", "--json", "--limit", "100"], arguments].concat();
        asked.extend(after.iter().flat_map(|after| ["--after", after.as_str()]));
        let ended = node.lgsp(&asked);
        let page: Value = serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{arguments:?}: {ended:?}"));
        let documents = page["documents"].as_array().unwrap();
        assert_eq!(ended.code, Some(i32::from(documents.is_empty())), "{ended:?}");
        for document in documents {
            let code = document["document"].as_str().unwrap();
            numbers.push(code.split('/').next().unwrap().to_owned());
        }
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return numbers,
        }
    }
}

/// Three letters, told apart by everything that can be searched.
fn archive(node: &Node) {
    let mut plan = INFORMATION.letter("81", &[JUSTICE, PROVINCE]);
    plan.subject = "Đề án phát triển ĐÔ THỊ thông minh".to_owned();
    plan.due_date = "2026/11/20".to_owned();
    let mut report = JUSTICE.letter("82", &[PROVINCE]);
    report.notation = "BC-STP".to_owned();
    report.date = "2026/11/24".to_owned();
    report.subject = "Báo cáo về đô thị".to_owned();
    let mut invitation = INFORMATION.letter("83", &[PROVINCE]);
    invitation.subject = "Giấy mời họp".to_owned();
    send(node, &plan);
    JUSTICE.desk(node).send(&written(&report)).unwrap();
    send(node, &invitation);
    // Registered, but not done by its day: late for ever.
    say(node, JUSTICE, &plan, "03", "08:30:00");
    life(node, "81", 2);
}

/// What is asked, and the numbers that are found.
const QUESTIONS: [(&[&str], &[&str]); 19] = [
    (&[], &["83", "82", "81"]),
    (&["--number", "81"], &["81"]),
    (&["--number", "82/bc-stp"], &["82"]),
    (&["--notation", "thu-nghiem"], &["83", "81"]),
    (&["--agency", "H62.14"], &["82", "81"]),
    (&["--agency", "000.00.14.H62"], &["82", "81"]),
    (&["--agency", "H62.14", "--state", "registered"], &["81"]),
    (&["--agency", "H62", "--state", "registered"], &[]),
    (&["--agency", "H62.92"], &[]),
    (&["--dated", "2026/11/24"], &["82"]),
    (&["--from", "2026-01-01", "--to", "2199-12-31"], &["83", "82", "81"]),
    (&["--to", "2026-01-01"], &[]),
    (&["--state", "sent"], &["83", "82", "81"]),
    (&["--state", "done"], &[]),
    (&["--late"], &["81"]),
    (&["do", "thi"], &["82", "81"]),
    (&["ĐÔ THỊ", "--agency", "H62.11"], &["81"]),
    (&["đề án", "--late", "--number", "81"], &["81"]),
    // The name of who signed is in every letter, and in no index.
    (&["Mẫu"], &[]),
];

fn every_question_is_answered(node: &Node) {
    for (arguments, numbers) in QUESTIONS {
        assert_eq!(found(node, arguments), numbers, "{arguments:?}");
    }
}

#[test]
fn a_document_is_found_by_whatever_is_known_of_it_also_when_the_store_was_made_again() {
    let mut node = Node::start(Home::new());
    archive(&node);
    every_question_is_answered(&node);
    let people = node.lgsp(&["search", "--late"]);
    for words in [
        "81/THU-NGHIEM  of 2026/11/25",
        "Đề án phát triển",
        "registered, LATE",
        "had to complete by 2026-11-21",
    ] {
        assert!(people.out.contains(words), "{words}: {people:?}");
    }
    assert_eq!(node.lgsp(&["rebuild"]).code, Some(0));
    node.stop();
    let replaced = node.lgsp(&["rebuild", "--replace"]);
    assert_eq!(replaced.code, Some(0), "{replaced:?}");
    node.restart();
    every_question_is_answered(&node);
}

#[test]
fn a_search_that_cannot_be_is_told_whole_and_ends_with_the_code_for_wrong_usage() {
    let node = Node::start(Home::new());
    let wrong = node.lgsp(&[
        "search", "--agency", "h62", "--from", "hôm qua", "--state", "lost", "--limit", "0", "…",
    ]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    for path in ["/agency", "/from", "/state", "/limit", "/words"] {
        assert!(
            wrong.err.contains(&format!("SEARCH_INVALID at {path}: ")),
            "{path}: {wrong:?}"
        );
    }
    let nothing = node.lgsp(&["search", "--number", "1"]);
    assert_eq!(nothing.code, Some(1), "{nothing:?}");
}

/// Syllables in every spelling of every letter that Vietnamese has.
const SYLLABLES: [&str; 36] = [
    "Đề",
    "án",
    "đô",
    "thị",
    "Nghị",
    "quyết",
    "Ủy",
    "ban",
    "nhân",
    "dân",
    "tỉnh",
    "Vĩnh",
    "Phúc",
    "xã",
    "phường",
    "đường",
    "ĐƯỜNG",
    "tiếp",
    "nhận",
    "hồ",
    "sơ",
    "Hộ",
    "tịch",
    "ỷ",
    "ỵ",
    "ẵm",
    "Ấp",
    "lỗi",
    "lối",
    "lội",
    "ngữ",
    "ngự",
    "kết",
    "nối",
    "thủy",
    "thuỷ",
];

/// Written by hand, so that it shares nothing with what is tested.
fn plain(text: &str) -> String {
    const LETTERS: [(char, &str); 7] = [
        ('a', "àáảãạăằắẳẵặâầấẩẫậ"),
        ('e', "èéẻẽẹêềếểễệ"),
        ('i', "ìíỉĩị"),
        ('o', "òóỏõọôồốổỗộơờớởỡợ"),
        ('u', "ùúủũụưừứửữự"),
        ('y', "ỳýỷỹỵ"),
        ('d', "đ"),
    ];
    let small = text.chars().flat_map(char::to_lowercase);
    let plain = small.map(|letter| {
        LETTERS
            .iter()
            .find(|(_, all)| all.contains(letter))
            .map_or(letter, |(base, _)| *base)
    });
    plain.collect()
}

/// The letter of this number: five syllables, chosen by the number.
fn generated(number: u32) -> DocumentPacket {
    let mut letter = INFORMATION.letter(&number.to_string(), &[JUSTICE]);
    let mut seed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut syllables = Vec::new();
    for _ in 0..5 {
        seed = seed.rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let nth = usize::try_from(seed >> 40).unwrap() % SYLLABLES.len();
        syllables.push(SYLLABLES[nth]);
    }
    letter.subject = syllables.join(" ");
    letter.attachments.clear();
    letter
}

#[test]
fn among_a_thousand_letters_words_find_exactly_those_that_have_them_in_whatever_spelling() {
    let node = Node::start(Home::new());
    let letters: Vec<DocumentPacket> = (1..=MANY).map(generated).collect();
    let mut desk = INFORMATION.desk(&node);
    for letter in &letters {
        desk.send(&written(letter)).unwrap();
    }
    life(&node, &MANY.to_string(), 1);
    let mut hits = 0;
    for (first, second) in SYLLABLES
        .iter()
        .zip(SYLLABLES.iter().skip(7).step_by(3).cycle())
        .step_by(2)
    {
        let asked = [plain(first), second.to_uppercase()];
        let has = |letter: &&DocumentPacket| {
            let text = plain(&[&*letter.subject, &letter.type_name, &letter.from.name].join(" "));
            let words: Vec<&str> = text.split(' ').collect();
            asked.iter().all(|word| words.contains(&plain(word).as_str()))
        };
        let mut expected: Vec<&str> = letters
            .iter()
            .filter(has)
            .map(|letter| letter.number.as_str())
            .collect();
        expected.reverse();
        let [first, second] = &asked;
        assert_eq!(found(&node, &[first, second]), expected, "{asked:?}");
        hits += expected.len();
    }
    assert!(hits > 200, "the questions find little: {hits}");
}
