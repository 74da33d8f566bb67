//! A lexer of Rust source, for tests that read the source of the library.

/// A token outside of comments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// A string or byte-string literal: its value, with line breaks and tabs as spaces.
    Literal(String),
    /// An identifier, a keyword, a lifetime or a number.
    Word(String),
    /// Any other character.
    Mark(char),
}

/// Returns the tokens of `source`, each with the number of its first line. Character literals are omitted.
pub fn tokens(source: &str) -> Vec<(usize, Token)> {
    let mut lexer = Lexer {
        chars: source.chars().collect(),
        index: 0,
        line: 1,
    };
    let mut found = Vec::new();
    while lexer.index < lexer.chars.len() {
        let line = lexer.line;
        if let Some(token) = lexer.token() {
            found.push((line, token));
        }
    }
    found
}

/// Returns the string literals of `source`, each with the number of its first line.
pub fn literals(source: &str) -> Vec<(usize, String)> {
    let tokens = tokens(source).into_iter();
    tokens
        .filter_map(|(line, token)| match token {
            Token::Literal(text) => Some((line, text)),
            _ => None,
        })
        .collect()
}

struct Lexer {
    chars: Vec<char>,
    index: usize,
    line: usize,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        let at = self.chars.get(self.index + ahead);
        at.copied().unwrap_or('\0')
    }

    fn next(&mut self) -> char {
        let character = self.peek(0);
        self.index += 1;
        self.line += usize::from(character == '\n');
        character
    }

    /// Returns the token at the current position, and moves behind it; None for a space, a comment or a character
    /// literal.
    fn token(&mut self) -> Option<Token> {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                while self.index < self.chars.len() && self.peek(0) != '\n' {
                    self.next();
                }
                None
            }
            ('/', '*') => {
                self.skip_block_comment();
                None
            }
            ('"', _) => Some(Token::Literal(self.quoted())),
            ('\'', '\\') => {
                // The escaped character may be a quote.
                self.index += 3;
                while self.index < self.chars.len() && self.next() != '\'' {}
                None
            }
            // A lifetime has no second quote.
            ('\'', _) if self.peek(2) == '\'' => {
                self.next();
                self.next();
                self.next();
                None
            }
            (character, _) if is_word(character) || character == '\'' => self.word(),
            (character, _) => {
                self.next();
                (!character.is_whitespace()).then_some(Token::Mark(character))
            }
        }
    }

    fn skip_block_comment(&mut self) {
        let mut depth = 0;
        while self.index < self.chars.len() {
            match (self.next(), self.peek(0)) {
                ('/', '*') => depth += 1,
                ('*', '/') => depth -= 1,
                _ => continue,
            }
            self.next();
            if depth == 0 {
                return;
            }
        }
    }

    /// Returns a word, or the literal that it is the prefix of.
    fn word(&mut self) -> Option<Token> {
        let mut word = String::from(self.next());
        while is_word(self.peek(0)) {
            word.push(self.next());
        }
        match word.as_str() {
            "b" | "c" if self.peek(0) == '"' => return Some(Token::Literal(self.quoted())),
            "b" if self.peek(0) == '\'' => return self.token(),
            "r" | "br" | "cr" => {
                let hashes = (0..self.chars.len())
                    .take_while(|ahead| self.peek(*ahead) == '#')
                    .count();
                if self.peek(hashes) == '"' {
                    return Some(Token::Literal(self.raw(hashes)));
                }
            }
            _ => {}
        }
        Some(Token::Word(word))
    }

    fn quoted(&mut self) -> String {
        let mut text = String::new();
        self.next();
        while self.index < self.chars.len() {
            match self.next() {
                '"' => break,
                '\\' if self.peek(0) == '\n' => {
                    while self.peek(0).is_whitespace() {
                        self.next();
                    }
                }
                '\\' => match self.next() {
                    'n' | 't' => text.push(' '),
                    other => text.push(other),
                },
                '\n' => text.push(' '),
                other => text.push(other),
            }
        }
        text
    }

    fn raw(&mut self, hashes: usize) -> String {
        self.index += hashes + 1;
        let mut text = String::new();
        while self.index < self.chars.len() {
            match self.next() {
                '"' if (0..hashes).all(|ahead| self.peek(ahead) == '#') => break,
                '\n' => text.push(' '),
                other => text.push(other),
            }
        }
        self.index += hashes;
        text
    }
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

#[test]
fn literals_are_separated_from_comments_characters_and_lifetimes() {
    let one = |line, text: &str| vec![(line, text.to_string())];
    assert_eq!(literals("// \"a b\"\nf(\"c d\")"), one(2, "c d"));
    assert_eq!(literals("/* \"a\n/* b\" */ \" */f(\"c d\")"), one(2, "c d"));
    assert_eq!(literals("f('\"', \"c d\", '\\'', b'\"')"), one(1, "c d"));
    assert_eq!(
        literals("fn f<'a>(x: &'a str) { g(\"c d\") }"),
        one(1, "c d")
    );
    assert_eq!(literals("f(r#\"c \\d \"e\"\"#)"), one(1, "c \\d \"e\""));
    assert_eq!(literals("for\"a\\\"b\""), one(1, "a\"b"));
    assert_eq!(literals("f(\"c \\\n   d\")"), one(1, "c d"));
    assert_eq!(
        literals("\"a\nb\", br\"c\""),
        [(1, "a b".to_string()), (2, "c".to_string())]
    );
}

#[test]
fn words_and_marks_are_in_order() {
    let words = tokens("use super::x; // y\nr#f(1)");
    let shown: Vec<String> = words
        .iter()
        .map(|(line, token)| match token {
            Token::Word(text) | Token::Literal(text) => format!("{line}{text}"),
            Token::Mark(mark) => mark.to_string(),
        })
        .collect();
    assert_eq!(shown.join(" "), "1use 1super : : 1x ; 2r # 2f ( 21 )");
}
