//! YAML, as far as `clouds.yaml` and policy files need it: strings, lists and mappings. A scalar is the text of the file,
//! so that a password of digits keeps its zeros. Anchors, aliases and `<<` are resolved.

use std::collections::HashMap;

use indexmap::IndexMap;
use yaml_rust2::parser::{Event, Parser};
use yaml_rust2::scanner::TScalarStyle;

/// The maximum nesting depth of a file; a clouds.yaml has a depth of four.
const MAX_DEPTH: usize = 64;

/// The maximum number of nodes that all aliases together expand to.
const MAX_COPIES: usize = 100_000;

/// A value and the line it begins on, counted from 1.
#[derive(Clone)]
pub struct Node {
    /// The line number.
    pub line: usize,
    /// The value.
    pub value: Value,
}

/// A YAML value.
#[derive(Clone)]
pub enum Value {
    /// A missing value, `~` or `null`.
    Nothing,
    /// A scalar, as written.
    Text(String),
    /// A list.
    List(Vec<Node>),
    /// A mapping, in the order of the file.
    Map(Map),
}

/// A mapping, in the order of the file.
#[derive(Clone, Default)]
pub struct Map(IndexMap<String, Node>);

impl Map {
    /// Returns the value of a key; None if it is null.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let node = self.0.get(key);
        node.filter(|node| !matches!(node.value, Value::Nothing))
    }

    /// Returns the mapping of a key.
    pub fn map(&self, key: &str) -> Option<&Self> {
        self.get(key)?.as_map()
    }

    /// Returns the text of a key.
    pub fn text(&self, key: &str) -> Option<&str> {
        match &self.get(key)?.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the keys.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Returns the keys with their values, null among them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(key, node)| (key.as_str(), node))
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Sets the value of `key`.
    pub fn set(&mut self, key: String, node: Node) {
        self.0.insert(key, node);
    }

    /// Removes a key.
    pub fn remove(&mut self, key: &str) {
        self.0.shift_remove(key);
    }

    /// Merges `above` into this mapping, recursively; its values take precedence.
    pub fn merge(&mut self, above: &Self) {
        for (key, node) in &above.0 {
            let own = self.0.get_mut(key).map(|own| &mut own.value);
            if let (Some(Value::Map(own)), Value::Map(above)) = (own, &node.value) {
                own.merge(above);
            } else {
                self.set(key.clone(), node.clone());
            }
        }
    }

    /// Returns this mapping with underscores for dashes in keys, recursively.
    #[must_use]
    pub fn normalised(&self) -> Self {
        let mut normalised = Self::default();
        for (key, node) in &self.0 {
            let value = match &node.value {
                Value::Map(map) => Value::Map(map.normalised()),
                other => other.clone(),
            };
            let line = node.line;
            normalised.set(key.replace('-', "_"), Node { line, value });
        }
        normalised
    }
}

impl Node {
    /// Returns the mapping, if the value is one.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the number of nodes, including this one.
    fn size(&self) -> usize {
        1 + match &self.value {
            Value::Nothing | Value::Text(_) => 0,
            Value::List(items) => items.iter().map(Self::size).sum(),
            Value::Map(map) => map.0.values().map(Self::size).sum(),
        }
    }
}

/// A syntax error and its line.
#[derive(Debug)]
pub struct Fault {
    /// The line, counted from 1.
    pub line: usize,
    /// The description; never contains a value.
    pub what: String,
}

/// A list or mapping that is not complete.
struct Open {
    line: usize,
    anchor: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        map: Map,
        /// The key whose value comes next, and its line.
        key: Option<(String, usize)>,
        /// The mappings that `<<` merges; their entries count only for keys that the mapping does not have.
        below: Vec<Map>,
    },
}

/// Parses the first document of a text.
///
/// # Errors
/// Invalid YAML, too deep nesting, or a key that is not a string.
pub fn parse(text: &str) -> Result<Node, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    let mut anchors: HashMap<usize, Node> = HashMap::new();
    let mut open: Vec<Open> = Vec::new();
    let mut copies = 0;
    loop {
        let (event, mark) = parser.next_token().map_err(|e| Fault {
            line: e.marker().line(),
            what: e.info().to_string(),
        })?;
        let line = mark.line();
        let fault = |what: &str| Fault {
            line,
            what: what.to_string(),
        };
        let (node, anchor) = match event {
            Event::StreamEnd | Event::DocumentEnd => {
                let value = Value::Nothing;
                return Ok(Node { line, value });
            }
            Event::Nothing | Event::StreamStart | Event::DocumentStart => continue,
            Event::SequenceStart(anchor, _) => {
                let content = Content::List(Vec::new());
                open.push(Open {
                    line,
                    anchor,
                    content,
                });
                if open.len() > MAX_DEPTH {
                    return Err(fault("it is nested too deeply"));
                }
                continue;
            }
            Event::MappingStart(anchor, _) => {
                let (map, key, below) = (Map::default(), None, Vec::new());
                let content = Content::Map { map, key, below };
                open.push(Open {
                    line,
                    anchor,
                    content,
                });
                if open.len() > MAX_DEPTH {
                    return Err(fault("it is nested too deeply"));
                }
                continue;
            }
            Event::Scalar(text, style, anchor, _) => {
                let nothing = style == TScalarStyle::Plain
                    && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL");
                let value = if nothing {
                    Value::Nothing
                } else {
                    Value::Text(text)
                };
                (Node { line, value }, anchor)
            }
            Event::Alias(anchor) => {
                let node = anchors.get(&anchor).cloned();
                let node =
                    node.ok_or_else(|| fault("an alias refers to a node that contains it"))?;
                copies += node.size();
                if copies > MAX_COPIES {
                    return Err(fault("its aliases expand to too many nodes"));
                }
                (node, 0)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let closed = open
                    .pop()
                    .ok_or_else(|| fault("an end without a beginning"))?;
                let anchor = closed.anchor;
                (closed.close(), anchor)
            }
        };
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            None => return Ok(node),
            Some(parent) => parent.add(node)?,
        }
    }
}

impl Open {
    fn add(&mut self, node: Node) -> Result<(), Fault> {
        match &mut self.content {
            Content::List(items) => items.push(node),
            Content::Map { map, key, below } => match (key.take(), node.value) {
                (None, Value::Text(text)) => *key = Some((text, node.line)),
                (None, Value::Nothing) => *key = Some(("null".to_string(), node.line)),
                (None, _) => {
                    let (line, what) = (node.line, "a key is not a string".to_string());
                    return Err(Fault { line, what });
                }
                (Some((key, _)), Value::Map(merged)) if key == "<<" => below.push(merged),
                (Some((key, _)), Value::List(items)) if key == "<<" => {
                    below.extend(items.into_iter().filter_map(|item| item.as_map().cloned()));
                }
                (Some((key, line)), Value::Nothing) => {
                    let value = Value::Nothing;
                    map.set(key, Node { line, value });
                }
                (Some((key, _)), value) => {
                    let line = node.line;
                    map.set(key, Node { line, value });
                }
            },
        }
        Ok(())
    }

    fn close(self) -> Node {
        let line = self.line;
        let value = match self.content {
            Content::List(items) => Value::List(items),
            Content::Map { mut map, below, .. } => {
                for (key, node) in below.into_iter().flat_map(|map| map.0) {
                    map.0.entry(key).or_insert(node);
                }
                Value::Map(map)
            }
        };
        Node { line, value }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text<'a>(node: &'a Node, path: &[&str]) -> Option<&'a str> {
        let (last, path) = path.split_last().unwrap();
        let mut map = node.as_map().unwrap();
        for key in path {
            map = map.map(key)?;
        }
        map.text(last)
    }

    #[test]
    fn scalars_are_the_text_that_stands_in_the_file() {
        let node = parse("a: 007\nb: 1e3\nc: yes\nd: ~\ne: 'null'\nF.g-H: x\n").unwrap();
        for (key, value) in [
            ("a", Some("007")),
            ("b", Some("1e3")),
            ("c", Some("yes")),
            ("d", None),
            ("e", Some("null")),
            ("F.g-H", Some("x")),
            ("z", None),
        ] {
            assert_eq!(text(&node, &[key]), value, "{key}");
        }
    }

    #[test]
    fn aliases_and_merges_are_resolved_and_own_keys_win() {
        let node = parse(
            "base: &base {auth: {u: 1, p: 2}, region: a}\n\
             other: &other {region: z, x: 9}\n\
             one: {<<: *base, region: b}\n\
             two:\n  <<: [*base, *other]\n",
        )
        .unwrap();
        assert_eq!(text(&node, &["one", "auth", "u"]), Some("1"));
        assert_eq!(text(&node, &["one", "region"]), Some("b"));
        assert_eq!(text(&node, &["two", "region"]), Some("a"));
        assert_eq!(text(&node, &["two", "x"]), Some("9"));
    }

    #[test]
    fn merging_goes_into_mappings_and_the_later_one_wins() {
        let below = parse("a: {x: 1, y: 2}\nb: 3").unwrap();
        let above = parse("a: {y: 4}\nc: 5").unwrap();
        let mut merged = below.as_map().unwrap().clone();
        merged.merge(above.as_map().unwrap());
        assert_eq!(merged.map("a").unwrap().text("x"), Some("1"));
        assert_eq!(merged.map("a").unwrap().text("y"), Some("4"));
        assert_eq!(merged.text("c"), Some("5"));
    }

    #[test]
    fn what_is_no_yaml_is_refused_with_its_line() {
        for (source, line) in [
            ("clouds:\n  a: [1\n  b: {", 3),
            ("a: b\n\tc: d\n", 1),
            ("a: \"open\n", 1),
            ("{a: b}: c", 1),
        ] {
            let fault = parse(source).err().unwrap();
            assert_eq!(fault.line, line, "{source}: {}", fault.what);
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"{a: ".repeat(100_000)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_string();
        for level in 1..20 {
            let alias = format!("*a{}, ", level - 1).repeat(9);
            bomb = format!("{bomb}a{level}: &a{level} [{alias}]\n");
        }
        assert!(parse(&bomb).err().unwrap().what.contains("too many"));
        assert!(parse("a: &a [*a]").is_err());
    }
}
