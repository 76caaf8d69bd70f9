//! JSON as lenient as Gson 2.2 reads it, parsed while it streams in, so that the text of one large member is never held.

use std::io::{self, BufRead, Write};

/// Deepest nesting; Gson has no bound and runs out of stack somewhere above.
const DEPTH_MAX: usize = 500;

/// A value; numbers keep their text. Members keep their order, the last of a name counts.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

#[derive(Debug)]
pub(super) enum JsonError {
    /// The connection failed while reading.
    Io(io::Error),
    /// The text is none that Gson would take.
    Syntax(&'static str),
    /// The receiver of the streamed member failed.
    Sink(io::Error),
}

impl Json {
    pub(super) fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members
                .iter()
                .rev()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// `JsonElement.getAsString`: the text of a string, number, boolean or of a list with exactly one such value.
    pub(super) fn as_text(&self) -> Option<String> {
        match self {
            Self::Bool(value) => Some(value.to_string()),
            Self::Number(text) | Self::Text(text) => Some(text.clone()),
            Self::List(items) => match items.as_slice() {
                [only] => only.as_text(),
                _ => None,
            },
            Self::Null | Self::Object(_) => None,
        }
    }
}

/// Parses a whole answer. Line ends are dropped first, wherever they are, as the SDK does.
///
/// If there is a `sink`, the text of the top-level member `data` goes into it and the value holds an empty text instead.
pub(super) fn parse(source: impl BufRead, sink: Option<&mut dyn Write>) -> Result<Json, JsonError> {
    let mut parser = Parser { source, sink };
    parser.skip_byte_order_mark()?;
    if parser.next_significant()?.is_none() {
        return Ok(Json::Null);
    }
    let value = parser.value(0)?;
    if value != Json::Null && parser.next_significant()?.is_some() {
        return Err(JsonError::Syntax("text after the end of the JSON"));
    }
    Ok(value)
}

struct Parser<'a, R> {
    source: R,
    sink: Option<&'a mut dyn Write>,
}

impl<R: BufRead> Parser<'_, R> {
    fn peek(&mut self) -> Result<Option<u8>, JsonError> {
        loop {
            match self.source.fill_buf().map_err(JsonError::Io)?.first().copied() {
                Some(b'\r' | b'\n') => self.source.consume(1),
                byte => return Ok(byte),
            }
        }
    }

    fn next(&mut self) -> Result<u8, JsonError> {
        let byte = self.peek()?.ok_or(JsonError::Syntax("the JSON ends in the middle"))?;
        self.source.consume(1);
        Ok(byte)
    }

    fn skip_byte_order_mark(&mut self) -> Result<(), JsonError> {
        if self.peek()? == Some(0xEF) {
            for expected in [0xEF, 0xBB, 0xBF] {
                if self.next()? != expected {
                    return Err(JsonError::Syntax("text that is no JSON"));
                }
            }
        }
        Ok(())
    }

    /// Skips blanks and comments. Without line ends a `//` or `#` comment reaches to the end of the answer.
    fn next_significant(&mut self) -> Result<Option<u8>, JsonError> {
        loop {
            match self.peek()? {
                Some(b' ' | b'\t') => self.source.consume(1),
                Some(b'#') => self.skip_all()?,
                Some(b'/') => {
                    self.source.consume(1);
                    match self.next()? {
                        b'/' => self.skip_all()?,
                        b'*' => self.skip_comment()?,
                        _ => return Err(JsonError::Syntax("a lone `/`")),
                    }
                }
                byte => return Ok(byte),
            }
        }
    }

    fn skip_all(&mut self) -> Result<(), JsonError> {
        while self.peek()?.is_some() {
            self.source.consume(1);
        }
        Ok(())
    }

    fn skip_comment(&mut self) -> Result<(), JsonError> {
        let mut before = 0;
        loop {
            let byte = self.next()?;
            if before == b'*' && byte == b'/' {
                return Ok(());
            }
            before = byte;
        }
    }

    fn value(&mut self, depth: usize) -> Result<Json, JsonError> {
        if depth > DEPTH_MAX {
            return Err(JsonError::Syntax("too many levels"));
        }
        match self.next_significant()? {
            Some(b'{') => self.object(depth),
            Some(b'[') => self.list(depth),
            Some(b'"' | b'\'') => Ok(Json::Text(self.string()?)),
            _ => self.literal(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.source.consume(1);
        let mut members = Vec::new();
        if self.next_significant()? == Some(b'}') {
            self.source.consume(1);
            return Ok(Json::Object(members));
        }
        loop {
            let name = match self.next_significant()? {
                Some(b'"' | b'\'') => self.string()?,
                _ => self.bare_text()?,
            };
            match self.next_significant()? {
                Some(b':') => self.source.consume(1),
                Some(b'=') => {
                    self.source.consume(1);
                    if self.peek()? == Some(b'>') {
                        self.source.consume(1);
                    }
                }
                _ => return Err(JsonError::Syntax("a member without value")),
            }
            let value = self.member_value(&name, depth)?;
            members.push((name, value));
            match self.next_significant()? {
                Some(b'}') => break,
                Some(b',' | b';') => self.source.consume(1),
                _ => return Err(JsonError::Syntax("an object without end")),
            }
        }
        self.source.consume(1);
        Ok(Json::Object(members))
    }

    fn member_value(&mut self, name: &str, depth: usize) -> Result<Json, JsonError> {
        let streamed = depth == 0 && name == "data" && matches!(self.next_significant()?, Some(b'"' | b'\''));
        match if streamed { self.sink.take() } else { None } {
            None => self.value(depth + 1),
            // Taken, not borrowed: a second `data` is an ordinary text, so the sink never gets two.
            Some(sink) => {
                self.string_into(&mut |piece| sink.write_all(piece))?;
                Ok(Json::Text(String::new()))
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Json, JsonError> {
        self.source.consume(1);
        let mut items = Vec::new();
        if self.next_significant()? == Some(b']') {
            self.source.consume(1);
            return Ok(Json::List(items));
        }
        loop {
            match self.next_significant()? {
                Some(b',' | b';' | b']') => items.push(Json::Null),
                _ => items.push(self.value(depth + 1)?),
            }
            match self.next_significant()? {
                Some(b']') => break,
                Some(b',' | b';') => self.source.consume(1),
                _ => return Err(JsonError::Syntax("a list without end")),
            }
        }
        self.source.consume(1);
        Ok(Json::List(items))
    }

    fn literal(&mut self) -> Result<Json, JsonError> {
        let text = self.bare_text()?;
        Ok(match text.to_ascii_lowercase().as_str() {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            _ if text.parse::<f64>().is_ok() => Json::Number(text),
            _ => Json::Text(text),
        })
    }

    fn bare_text(&mut self) -> Result<String, JsonError> {
        let mut text = Vec::new();
        while let Some(byte) = self.peek()? {
            if b"/\\;#={}[]:, \t\x0c".contains(&byte) {
                break;
            }
            text.push(byte);
            self.source.consume(1);
        }
        if text.is_empty() {
            return Err(JsonError::Syntax("a value is missing"));
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    fn string(&mut self) -> Result<String, JsonError> {
        let mut text = Vec::new();
        self.string_into(&mut |piece| {
            text.extend_from_slice(piece);
            Ok(())
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// Gives the text between the quotes piece by piece, escapes resolved.
    fn string_into(&mut self, give: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> Result<(), JsonError> {
        let quote = self.next()?;
        loop {
            let buffer = self.source.fill_buf().map_err(JsonError::Io)?;
            if buffer.is_empty() {
                return Err(JsonError::Syntax("a text without end"));
            }
            let special = |byte: &u8| *byte == quote || matches!(byte, b'\\' | b'\r' | b'\n');
            let plain = buffer.iter().position(special).unwrap_or(buffer.len());
            let stop = buffer.get(plain).copied();
            give(buffer.get(..plain).unwrap_or_default()).map_err(JsonError::Sink)?;
            self.source.consume(plain + usize::from(stop.is_some()));
            if stop == Some(quote) {
                return Ok(());
            }
            if stop == Some(b'\\') {
                let letter = self.escape()?;
                give(letter.encode_utf8(&mut [0; 4]).as_bytes()).map_err(JsonError::Sink)?;
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        Ok(match self.next()? {
            b'u' => {
                let unit = self.hex_unit()?;
                let pair = (0xD800..0xDC00).contains(&unit).then_some(unit);
                match pair {
                    Some(high) => self.low_half(high)?,
                    None => char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                }
            }
            b't' => '\t',
            b'b' => '\u{8}',
            b'n' => '\n',
            b'r' => '\r',
            b'f' => '\u{c}',
            other if other.is_ascii() => char::from(other),
            _ => return Err(JsonError::Syntax("a broken escape")),
        })
    }

    fn low_half(&mut self, high: u32) -> Result<char, JsonError> {
        if self.next()? != b'\\' || self.next()? != b'u' {
            return Err(JsonError::Syntax("half a surrogate pair"));
        }
        let low = self.hex_unit()?;
        if !(0xDC00..0xE000).contains(&low) {
            return Err(JsonError::Syntax("half a surrogate pair"));
        }
        let scalar = 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00);
        Ok(char::from_u32(scalar).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex_unit(&mut self) -> Result<u32, JsonError> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = char::from(self.next()?)
                .to_digit(16)
                .ok_or(JsonError::Syntax("a broken escape"))?;
            unit = unit * 16 + digit;
        }
        Ok(unit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(json: &str) -> Json {
        parse(json.as_bytes(), None).unwrap()
    }

    #[test]
    fn gson_forgives_quotes_comments_marks_and_line_ends() {
        let plain = text(r#"{"status":"OK","n":0,"l":["a"]}"#);
        for lenient in [
            "\u{feff} {'status':'OK', n = 0; l : ['a']} ",
            "/* c */ {\"sta\r\ntus\":\"O\nK\",\"n\":0,\"l\":[\"a\"]} # end",
            "{\"status\":\"\\u004fK\",\"n\"=>0,\"l\":[a]}",
        ] {
            assert_eq!(text(lenient), plain, "{lenient}");
        }
    }

    #[test]
    fn nothing_may_follow_and_nothing_may_be_cut() {
        for bad in [
            "{\"a\":1} x",
            "{\"a\":",
            "{\"a\":1",
            "[1",
            "\"a",
            "two words",
            "<a href=\"x\">",
            "{,}",
            "{\"a\":\"\\uZZ00\"}",
        ] {
            assert!(
                matches!(parse(bad.as_bytes(), None), Err(JsonError::Syntax(_))),
                "{bad}"
            );
        }
        let deep = "[".repeat(100_000);
        assert!(matches!(
            parse(deep.as_bytes(), None),
            Err(JsonError::Syntax("too many levels"))
        ));
    }

    #[test]
    fn words_lists_and_nothing_are_values_but_no_objects() {
        assert_eq!(text("word"), Json::Text("word".into()));
        assert_eq!(text(""), Json::Null);
        assert_eq!(text("null and more"), Json::Null);
        assert_eq!(
            text("[1,,]"),
            Json::List(vec![Json::Number("1".into()), Json::Null, Json::Null])
        );
        assert_eq!(text("\"\\ud83d\\ude00\\/\""), Json::Text("😀/".into()));
    }

    #[test]
    fn only_the_top_level_data_text_streams_away() {
        let mut sink = Vec::new();
        let json = br#"{"x":{"data":"in"},"data":"YQ\/=","y":1,"data":"again"}"#;
        let value = parse(io::BufReader::with_capacity(3, &json[..]), Some(&mut sink)).unwrap();
        assert_eq!(sink, b"YQ/=");
        assert_eq!(value.member("data"), Some(&Json::Text("again".into())));
        assert_eq!(
            value.member("x").unwrap().member("data"),
            Some(&Json::Text("in".into()))
        );
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end_in_a_value_or_an_error(bytes: Vec<u8>, piece in 1_usize..9) {
            let read = |piece| parse(io::BufReader::with_capacity(piece, &bytes[..]), None).ok();
            proptest::prop_assert_eq!(read(piece), read(100));
        }

        #[test]
        fn any_text_that_was_escaped_comes_back(text in "\\PC*[\"\\\\\t\u{1}\u{2028}]*") {
            let json = serde_json::to_string(&text).unwrap();
            proptest::prop_assert_eq!(parse(json.as_bytes(), None).unwrap(), Json::Text(text.clone()));
            let own = super::super::sign::gson_string(&text);
            proptest::prop_assert_eq!(serde_json::from_str::<String>(&own).unwrap(), text);
        }
    }
}
