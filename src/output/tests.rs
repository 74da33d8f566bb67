//! Comparison of the output with that of the reference clients' libraries for the same data.

use futures_util::stream;
use serde_json::json;

use super::*;
use crate::error::ErrorKind;

fn run(view: View<'_>, dialect: Dialect, options: &Options) -> Result<(String, Printed)> {
    let mut out = Vec::new();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let printed = runtime.block_on(print(view, dialect, options, &mut out))?;
    Ok((String::from_utf8(out).unwrap(), printed))
}

fn text(view: View<'_>, dialect: Dialect, options: &Options) -> String {
    run(view, dialect, options).unwrap().0
}

fn with(format: Format) -> Options {
    Options {
        format,
        ..Options::default()
    }
}

fn images() -> View<'static> {
    let rows = vec![
        vec![
            "1".into(),
            "crème 図 ß".into(),
            Cell::none(),
            Cell::list(json!(["b", "a"])),
            Cell::mapping(json!({"b": 1, "a": "it's"})),
        ],
        vec![
            "2".into(),
            "e\u{301}\ttab\r\nnew\rline".into(),
            1500.into(),
            Cell::list(json!(null)),
            Cell::mapping(json!({})),
        ],
    ];
    View::Table(Table::from_rows(
        ["ID", "Name", "Size", "Tags", "Properties"],
        rows,
    ))
}

fn image() -> View<'static> {
    let mut record = Record::new();
    record.push("Big Name", true);
    record.push("os:x-y", "the \"hi\"");
    record.push("created_at", "2026-11-21T10:00:00Z");
    record.push("properties", Cell::mapping(json!({"k": ["a"]})));
    record.push("tags", Cell::list(json!(["x"])));
    View::Record(record)
}

#[test]
fn a_list_prints_in_every_format() {
    for (format, expected) in [
        (
            Format::Table,
            "\
+----+------------+------+------+-----------------+
| ID | Name       | Size | Tags | Properties      |
+----+------------+------+------+-----------------+
| 1  | crème 図 ß | None | a, b | a='it's', b='1' |
| 2  | e\u{301}      tab | 1500 |      |                 |
|    | new line   |      |      |                 |
+----+------------+------+------+-----------------+
",
        ),
        (
            Format::Yaml,
            "\
- ID: '1'
  Name: \"cr\\xE8me \\u56F3 \\xDF\"
  Properties:
    a: it's
    b: 1
  Size: null
  Tags:
  - b
  - a
- ID: '2'
  Name: \"e\\u0301\\ttab\\r\\nnew\\rline\"
  Properties: {}
  Size: 1500
  Tags: []
",
        ),
        (
            Format::Csv,
            "\
\"ID\",\"Name\",\"Size\",\"Tags\",\"Properties\"
\"1\",\"crème 図 ß\",\"\",\"['b', 'a']\",\"{'b': 1, 'a': \"\"it's\"\"}\"
\"2\",\"e\u{301}\ttab\r\nnew\rline\",1500,\"[]\",\"{}\"
",
        ),
        (
            Format::Value,
            "\
1 crème 図 ß None ['b', 'a'] {'b': 1, 'a': \"it's\"}
2 e\u{301}\ttab\r\nnew\rline 1500 [] {}
",
        ),
    ] {
        assert_eq!(text(images(), Dialect::Openstack, &with(format)), expected);
    }
    let refused = run(images(), Dialect::Openstack, &with(Format::Shell)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
}

#[test]
fn json_lists_are_indented_or_in_one_line() {
    let options = Options {
        columns: vec!["ID".into(), "tags".into()],
        ..with(Format::Json)
    };
    assert_eq!(
        text(images(), Dialect::Openstack, &options),
        "[\n  {\n    \"ID\": \"1\",\n    \"Tags\": [\n      \"b\",\n      \"a\"\n    ]\n  },\n  \
         {\n    \"ID\": \"2\",\n    \"Tags\": []\n  }\n]\n"
    );
    assert_eq!(
        text(
            images(),
            Dialect::Openstack,
            &Options {
                noindent: true,
                ..options
            }
        ),
        "[{\"ID\": \"1\", \"Tags\": [\"b\", \"a\"]}, {\"ID\": \"2\", \"Tags\": []}]\n"
    );
}

#[test]
fn a_record_prints_in_every_format() {
    for (format, expected) in [
        (
            Format::Table,
            "\
+------------+----------------------+
| Field      | Value                |
+------------+----------------------+
| Big Name   | True                 |
| os:x-y     | the \"hi\"             |
| created_at | 2026-11-21T10:00:00Z |
| properties | k='['a']'            |
| tags       | x                    |
+------------+----------------------+
",
        ),
        (
            Format::Json,
            "{\n  \"Big Name\": true,\n  \"os:x-y\": \"the \\\"hi\\\"\",\n  \
             \"created_at\": \"2026-11-21T10:00:00Z\",\n  \"properties\": {\n    \"k\": [\n      \
             \"a\"\n    ]\n  },\n  \"tags\": [\n    \"x\"\n  ]\n}\n",
        ),
        (
            Format::Yaml,
            "\
Big Name: true
os:x-y: the \"hi\"
created_at: '2026-11-21T10:00:00Z'
properties:
  k:
  - a
tags:
- x
",
        ),
        (
            Format::Shell,
            "\
p_big_name=\"True\"
p_os_x_y=\"the \\\"hi\\\"\"
p_created_at=\"2026-11-21T10:00:00Z\"
p_properties=\"{'k': ['a']}\"
p_tags=\"['x']\"
",
        ),
        (
            Format::Value,
            "True\nthe \"hi\"\n2026-11-21T10:00:00Z\n{'k': ['a']}\n['x']\n",
        ),
    ] {
        let options = Options {
            prefix: "p_".into(),
            ..with(format)
        };
        assert_eq!(text(image(), Dialect::Openstack, &options), expected);
    }
    let refused = run(image(), Dialect::Openstack, &with(Format::Csv)).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Usage);
}

#[test]
fn wide_columns_shrink_to_the_width_asked_for() {
    let mut record = Record::new();
    record.push("a", "word ".repeat(20));
    record.push(
        "b",
        Cell::mapping(json!({"owner_specified.openstack.object": "images/x"})),
    );
    let options = Options {
        max_width: 50,
        ..Options::default()
    };
    let expected = "\
+-------+----------------------------------------+
| Field | Value                                  |
+-------+----------------------------------------+
| a     | word word word word word word word     |
|       | word word word word word word word     |
|       | word word word word word word          |
| b     | owner_specified.openstack.object='imag |
|       | es/x'                                  |
+-------+----------------------------------------+
";
    assert_eq!(
        text(View::Record(record.clone()), Dialect::Openstack, &options),
        expected
    );
    let terminal = Options {
        terminal_width: Some(50),
        is_terminal: true,
        ..Options::default()
    };
    assert_eq!(
        text(View::Record(record), Dialect::Openstack, &terminal),
        expected
    );
}

#[test]
fn glance_records_are_sorted_and_wrap_at_80() {
    let mut record = Record::new();
    record.push("name", Cell::none());
    record.push("tags", json!(["a", "é"]));
    record.push("big", "x".repeat(85));
    record.push("protected", true);
    record.push("virtual_size", Cell::shown(json!(null), "Not available"));
    let x = "x".repeat(80);
    let line = "-".repeat(82);
    let pad = |text: &str| format!("{text:<80}");
    let expected = format!(
        "+--------------+{line}+\n| Property     | {} |\n+--------------+{line}+\n\
         | big          | {x} |\n|              | {} |\n| name         | {} |\n\
         | protected    | {} |\n| tags         | {} |\n| virtual_size | {} |\n\
         +--------------+{line}+\n",
        pad("Value"),
        pad("xxxxx"),
        pad("None"),
        pad("True"),
        pad("[\"a\", \"\\u00e9\"]"),
        pad("Not available"),
    );
    assert_eq!(
        text(View::Record(record), Dialect::Glance, &Options::default()),
        expected
    );
}

#[test]
fn glance_lists_blank_what_is_falsy_and_align_as_told() {
    let row = vec!["1".into(), Cell::none(), json!(["a"]).into()];
    let table = Table::from_rows(["ID", "Name", "Tags"], vec![row]).blank_falsy();
    assert_eq!(
        text(View::Table(table), Dialect::Glance, &Options::default()),
        "\
+----+------+-------+
| ID | Name | Tags  |
+----+------+-------+
| 1  |      | ['a'] |
+----+------+-------+
"
    );
    let columns = ["ID", "State", "Hits"].map(|name| Column::new(name).align(Align::Center));
    let rows = vec![
        vec!["abcdef".into(), "cached".into(), 3.into()],
        vec!["x".into(), "queued".into(), "N/A".into()],
    ];
    assert_eq!(
        text(
            View::Table(Table::from_rows(columns, rows)),
            Dialect::Glance,
            &Options::default()
        ),
        "\
+--------+--------+------+
|   ID   | State  | Hits |
+--------+--------+------+
| abcdef | cached |  3   |
|   x    | queued | N/A  |
+--------+--------+------+
"
    );
}

#[test]
fn empty_lists_look_as_each_format_has_them() {
    let empty = || View::Table(Table::from_rows(["ID", "Name"], Vec::new()));
    let heading = "+----+------+\n| ID | Name |\n+----+------+\n+----+------+\n";
    for (format, expected) in [
        (Format::Table, "\n"),
        (Format::Json, "[]\n"),
        (Format::Yaml, "[]\n"),
        (Format::Csv, "\"ID\",\"Name\"\n"),
        (Format::Value, ""),
    ] {
        assert_eq!(text(empty(), Dialect::Openstack, &with(format)), expected);
    }
    let print_empty = Options {
        print_empty: true,
        ..Options::default()
    };
    assert_eq!(text(empty(), Dialect::Openstack, &print_empty), heading);
    assert_eq!(text(empty(), Dialect::Glance, &Options::default()), heading);
}

#[test]
fn columns_are_chosen_and_sorted_as_cliff_does() {
    let options = Options {
        columns: vec!["NAME".into(), "id".into()],
        sort_columns: vec!["size".into(), "nonsense".into()],
        sort_direction: SortDirection::Descending,
        ..with(Format::Csv)
    };
    assert_eq!(
        text(images(), Dialect::Openstack, &options),
        "\"ID\",\"Name\"\n\"1\",\"crème 図 ß\"\n\"2\",\"e\u{301}\ttab\r\nnew\rline\"\n"
    );
    let options = Options {
        columns: vec!["No'ne".into()],
        ..Options::default()
    };
    let table = || Table::from_rows(["ID"], Vec::new());
    let message = |table| {
        run(View::Table(table), Dialect::Openstack, &options)
            .unwrap_err()
            .message()
            .to_string()
    };
    assert_eq!(
        message(table()),
        "No recognized column names in [\"No'ne\"]. Recognized columns are ('ID',)."
    );
    assert_eq!(
        message(table().with_names_in_list()),
        "No recognized column names in [\"No'ne\"]. Recognized columns are ['ID']."
    );
}

#[test]
fn unsortable_columns_are_left_alone_with_a_warning() {
    let rows = vec![vec![Cell::from(2)], vec!["1".into()]];
    let options = Options {
        sort_columns: vec!["a".into()],
        ..with(Format::Value)
    };
    let table = Table::from_rows(["A"], rows);
    let (text, printed) = run(View::Table(table), Dialect::Openstack, &options).unwrap();
    assert_eq!(text, "2\n1\n");
    assert_eq!(
        printed.warnings,
        ["Could not sort on field 'A'; unsortable types"]
    );
    assert_eq!(printed.rows, 2);
}

#[test]
fn control_characters_reach_a_terminal_only_when_asked() {
    let evil = "a\x1b]0;x\x07\u{9b}2J\u{202e}\x7f\rb";
    let raw = |text: &str| {
        text.chars()
            .any(|c| c != '\n' && (c.is_control() || c == '\u{202e}'))
    };
    for format in [
        Format::Table,
        Format::Json,
        Format::Yaml,
        Format::Csv,
        Format::Value,
        Format::Shell,
    ] {
        for dialect in [Dialect::Glance, Dialect::Openstack] {
            let mut record = Record::new();
            record.push(evil, evil);
            record.push("m", Cell::mapping(json!({ evil: [evil] })));
            let view = match format {
                Format::Csv => {
                    let cells = record
                        .fields()
                        .iter()
                        .map(|(_, cell)| cell.clone())
                        .collect();
                    View::Table(Table::from_rows(["A", "B"], vec![cells]))
                }
                _ => View::Record(record),
            };
            let options = Options {
                is_terminal: true,
                ..with(format)
            };
            let shown = text(view, dialect, &options);
            assert!(!raw(&shown), "{format:?} {shown:?}");
        }
    }
    let options = Options {
        is_terminal: true,
        ..Options::default()
    };
    let view = || View::Text(evil.into());
    assert_eq!(
        text(view(), Dialect::Glance, &options),
        "a\\x1b]0;x\\x07\\x9b2J\\u202e\\x7f\\x0db\n"
    );
    let options = Options {
        raw_control: true,
        ..options
    };
    assert_eq!(text(view(), Dialect::Glance, &options), format!("{evil}\n"));
}

#[test]
fn tables_that_spill_to_disk_look_like_small_ones() {
    let row = |index: usize| vec![index.into(), format!("{index:x>400}").into(), "図".into()];
    let chunks = (0..20).map(|chunk| Ok((0..1000).map(|i| row(chunk * 1000 + i)).collect()));
    let table = Table::new(["ID", "Name", "x"], Box::pin(stream::iter(chunks)));
    let large = text(View::Table(table), Dialect::Openstack, &Options::default());
    assert_eq!(large.lines().count(), 20_004);
    let table = Table::from_rows(["ID", "Name", "x"], vec![row(19_999)]);
    let small = text(View::Table(table), Dialect::Openstack, &Options::default());
    assert_eq!(large.lines().last(), small.lines().last());
    assert_eq!(large.lines().nth(20_002), small.lines().nth(3));
}

#[test]
fn a_failing_stream_fails_the_printing() {
    let rows = stream::iter([Ok(vec![vec!["1".into()]]), Err(Error::failed("gone"))]);
    let table = Table::new(["ID"], Box::pin(rows));
    let error = run(View::Table(table), Dialect::Openstack, &Options::default()).unwrap_err();
    assert_eq!(error.message(), "gone");
}

#[test]
fn a_closed_pipe_is_told_apart() {
    struct Closed;
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let options = Options::default();
    let printed = runtime.block_on(print(images(), Dialect::Openstack, &options, &mut Closed));
    assert_eq!(printed.unwrap_err().kind(), ErrorKind::ClosedPipe);
}
