//! The forms of the text: encodings, delimiters, ends of lines, quotes.

use contact_store::transfer::CsvOptions;

use super::{counts, empty, holds, import, refused};

const EXPECTED: [&str; 2] = [
    "1 ann@example.com Зоя",
    "2 bob@example.com two\nlines, \"quoted\"",
];

fn text(delimiter: char, end: &str) -> String {
    [
        format!("First Name{delimiter}Email"),
        format!("Зоя{delimiter}ann@example.com"),
        format!("\"two\nlines, \"\"quoted\"\"\"{delimiter}bob@example.com"),
        String::new(),
    ]
    .join(end)
}

#[track_caller]
fn takes(source: &[u8], options: CsvOptions) {
    let store = empty();
    let (done, rows) = import(&store, source, options);
    assert_eq!((counts(&done.imported), rows), ([2, 2, 0, 0, 0], vec![]));
    holds(&store, &EXPECTED);
}

fn utf_16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn r70_the_delimiter_is_found_from_the_header_or_named() {
    for end in ["\n", "\r\n", "\r"] {
        for delimiter in [',', ';', '\t'] {
            let source = text(delimiter, end);
            takes(source.as_bytes(), CsvOptions::default());
            let named = CsvOptions::default().delimiter(delimiter).unwrap();
            takes(source.as_bytes(), named);
        }
        let bar = CsvOptions::default().delimiter('|').unwrap();
        takes(text('|', end).as_bytes(), bar);
    }
    // Known columns count for more than columns.
    let source = "Name, first, last, title;Email;First Name\nx;ann@example.com;Ann\n";
    let store = empty();
    import(&store, source.as_bytes(), CsvOptions::default());
    holds(&store, &["1 ann@example.com Ann"]);
}

#[test]
fn r70_a_byte_order_mark_says_the_encoding() {
    let marked = format!("\u{FEFF}{}", text(';', "\r\n"));
    takes(marked.as_bytes(), CsvOptions::default());
    takes(&utf_16(&marked, u16::to_le_bytes), CsvOptions::default());
    takes(&utf_16(&marked, u16::to_be_bytes), CsvOptions::default());
}

#[test]
fn r70_other_encodings_are_named() {
    let options = |label| CsvOptions::default().encoding(label).unwrap();
    let source = text(',', "\n");
    let (name, zoya) = ("Зоя".as_bytes(), b"\xC7\xEE\xFF");
    let place = source
        .as_bytes()
        .windows(name.len())
        .position(|at| at == name);
    let mut cyrillic = source.clone().into_bytes();
    cyrillic.splice(place.unwrap()..place.unwrap() + name.len(), *zoya);
    takes(&cyrillic, options("windows-1251"));
    takes(&utf_16(&source, u16::to_le_bytes), options("utf-16le"));
    takes(&utf_16(&source, u16::to_be_bytes), options("utf-16be"));
}

#[test]
fn r70_what_is_not_text_refuses_its_row_and_is_reported_as_utf_8() {
    let mut source = utf_16("\u{FEFF}email\na@example.com\nb", u16::to_le_bytes);
    source.extend(0xDC00_u16.to_le_bytes());
    source.extend(utf_16("@example.com\nЗоя\nc@example.com", u16::to_le_bytes));
    let store = empty();
    let (done, rows) = import(&store, &source, CsvOptions::default());
    assert_eq!(counts(&done.imported), [4, 2, 0, 0, 2]);
    assert_eq!(
        rows,
        [
            refused(3, "notText", "b\u{FFFD}@example.com"),
            refused(4, "noAtSign", "Зоя"),
        ]
    );
}
