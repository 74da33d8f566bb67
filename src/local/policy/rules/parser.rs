//! The parser of rules.
//!
//! *Source:* `oslo_policy/_parser.py` for the language, and for the treatment of what is not in it.

use super::{Check, Condition, Template};

/// The maximum number of nested parentheses and negations.
const MAX_DEPTH: usize = 100;

/// The kinds of checks that ask a server, which are not supported.
const REMOTE: [&str; 2] = ["http", "https"];

/// A rule that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The rule. Checks that cannot be understood are false in it, and so is a rule that cannot be understood.
    pub check: Check,
    /// The reasons why the rule, or checks in it, cannot be understood.
    pub faults: Vec<String>,
}

impl Parsed {
    fn refused(text: &str, why: String) -> Self {
        Self {
            check: Check::never(text),
            faults: vec![why],
        }
    }
}

/// Parses a rule. An empty one is always true.
pub fn parse_text(text: &str) -> Parsed {
    if text.is_empty() {
        let (check, faults) = (Check::always(text), Vec::new());
        return Parsed { check, faults };
    }
    let mut faults = Vec::new();
    let tokens = match tokens(text, &mut faults) {
        Ok(tokens) => tokens,
        Err(why) => return Parsed::refused(text, why),
    };
    let mut parser = Parser {
        tokens: tokens.into_iter().peekable(),
        depth: 0,
    };
    match parser.rule() {
        Ok(check) => Parsed { check, faults },
        Err(why) => Parsed::refused(text, why),
    }
}

/// Parses a rule in the older form: one of the inner lists must hold, with all of its checks.
pub fn parse_list(lists: &[Vec<String>]) -> Parsed {
    if lists.is_empty() {
        let (check, faults) = (Check::always("[]"), Vec::new());
        return Parsed { check, faults };
    }
    let mut faults = Vec::new();
    let mut any = Vec::new();
    for list in lists.iter().filter(|list| !list.is_empty()) {
        let checks = list.iter().map(|text| test(text, &mut faults));
        match checks.collect::<Result<Vec<_>, _>>() {
            Ok(checks) => any.push(joined(checks, Check::All)),
            Err(why) => return Parsed::refused(&list.join(", "), why),
        }
    }
    let check = if any.is_empty() {
        Check::never("[[]]")
    } else {
        joined(any, Check::Any)
    };
    Parsed { check, faults }
}

/// Returns the only check of a list, or `join` of all.
fn joined(mut checks: Vec<Check>, join: impl FnOnce(Vec<Check>) -> Check) -> Check {
    match checks.pop() {
        Some(only) if checks.is_empty() => only,
        last => {
            checks.extend(last);
            join(checks)
        }
    }
}

enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Check(Check),
}

/// Splits a rule at white space, and parentheses off the words. Those within a word belong to it: `%(owner)s`.
///
/// # Errors
/// The reason why the rule cannot be understood.
fn tokens(text: &str, faults: &mut Vec<String>) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    // Python counts these separators as white space.
    let is_space = |one: char| one.is_whitespace() || ('\x1c'..='\x1f').contains(&one);
    for word in text.split(is_space).filter(|word| !word.is_empty()) {
        let inner = word.trim_start_matches('(');
        tokens.extend((inner.len()..word.len()).map(|_| Token::Open));
        let core = inner.trim_end_matches(')');
        match core.to_lowercase().as_str() {
            "" => {}
            "and" => tokens.push(Token::And),
            "or" => tokens.push(Token::Or),
            "not" => tokens.push(Token::Not),
            _ if is_quoted(inner) => {
                return Err(format!("{inner} is a text and not a check"));
            }
            _ => tokens.push(Token::Check(test(core, faults)?)),
        }
        tokens.extend((core.len()..inner.len()).map(|_| Token::Close));
    }
    Ok(tokens)
}

fn is_quoted(word: &str) -> bool {
    let in_quotes = |quote| word.len() > 1 && word.starts_with(quote) && word.ends_with(quote);
    in_quotes('"') || in_quotes('\'')
}

/// Parses a check without parts. One without a colon is false, and a fault.
///
/// # Errors
/// The reason why a rule with this check cannot be evaluated.
fn test(text: &str, faults: &mut Vec<String>) -> Result<Check, String> {
    let condition = match (text, text.split_once(':')) {
        ("@", _) => Condition::Always,
        ("!", _) => Condition::Never,
        (_, None) => {
            faults.push(format!("'{text}' is not a check of the form KIND:VALUE"));
            Condition::Never
        }
        (_, Some(("rule", name))) => Condition::Rule(name.to_string()),
        (_, Some(("role", role))) => Condition::Role(Template::parse(role)?),
        (_, Some((kind, _))) if REMOTE.contains(&kind) => {
            return Err(format!("'{text}' asks a server, which is not supported"));
        }
        (_, Some((kind, value))) => {
            let value = Template::parse(value)?;
            match constant(kind)? {
                Some(constant) => Condition::Constant(constant, value),
                None => Condition::Caller(path(kind)?, value),
            }
        }
    };
    Ok(Check::test(text, condition))
}

/// Returns a constant of Python as `str` writes it; None for the name of an attribute.
///
/// # Errors
/// The reason why it is neither.
fn constant(kind: &str) -> Result<Option<String>, String> {
    if let "None" | "True" | "False" = kind {
        return Ok(Some(kind.to_string()));
    }
    if is_quoted(kind) {
        let inner = &kind[1..kind.len() - 1];
        return if inner.contains(['\\', '\'', '"']) {
            Err(format!("{kind} contains a quote or a backslash"))
        } else {
            Ok(Some(inner.to_string()))
        };
    }
    if !kind.starts_with(|first: char| first.is_ascii_digit() || "+-.'\"".contains(first)) {
        return Ok(None);
    }
    number(kind)
        .map(Some)
        .ok_or_else(|| format!("{kind} is neither a text in quotes nor a number"))
}

/// Returns a decimal number as Python writes it.
fn number(text: &str) -> Option<String> {
    let digits = text.trim_start_matches(['+', '-']);
    let is_leading_zero = digits.len() > 1
        && digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() > digits.len() + 1 || is_leading_zero {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.is_empty() {
        let number: i128 = text.parse().ok()?;
        return Some(number.to_string());
    }
    if digits
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        let number: f64 = text.parse().ok()?;
        return Some(format!("{number:?}"));
    }
    None
}

/// Splits the name of an attribute of the caller at its dots.
///
/// # Errors
/// The reason why it cannot be a name.
fn path(kind: &str) -> Result<Vec<String>, String> {
    let is_plain = |one: char| one.is_alphanumeric() || one == '_' || one == '-';
    let parts: Vec<String> = kind.split('.').map(str::to_string).collect();
    if parts
        .iter()
        .any(|part| part.is_empty() || !part.chars().all(is_plain))
    {
        return Err(format!("'{kind}' cannot be the name of an attribute"));
    }
    Ok(parts)
}

struct Parser {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    depth: usize,
}

impl Parser {
    fn rule(&mut self) -> Result<Check, String> {
        let check = self.any()?;
        match self.tokens.next() {
            None => Ok(check),
            Some(Token::Close) => Err("')' closes nothing".to_string()),
            Some(Token::Open) => Err("'and' or 'or' is missing before '('".to_string()),
            Some(Token::Not) => Err("'and' or 'or' is missing before 'not'".to_string()),
            Some(token) => Err(format!("'and' or 'or' is missing before {}", name(&token))),
        }
    }

    fn any(&mut self) -> Result<Check, String> {
        let mut checks = vec![self.all()?];
        while self
            .tokens
            .next_if(|token| matches!(token, Token::Or))
            .is_some()
        {
            checks.push(self.all()?);
        }
        Ok(joined(checks, Check::Any))
    }

    fn all(&mut self) -> Result<Check, String> {
        let mut checks = vec![self.one()?];
        while self
            .tokens
            .next_if(|token| matches!(token, Token::And))
            .is_some()
        {
            checks.push(self.one()?);
        }
        Ok(joined(checks, Check::All))
    }

    fn one(&mut self) -> Result<Check, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("it is nested too deeply".to_string());
        }
        let check = match self.tokens.next() {
            Some(Token::Not) => Check::Not(Box::new(self.one()?)),
            Some(Token::Open) => {
                let check = self.any()?;
                match self.tokens.next() {
                    Some(Token::Close) => check,
                    None => return Err("')' is missing".to_string()),
                    Some(token) => return Err(format!("')' is missing before {}", name(&token))),
                }
            }
            Some(Token::Check(check)) => check,
            Some(token) => return Err(format!("a check is missing before {}", name(&token))),
            None => return Err("a check is missing at the end".to_string()),
        };
        self.depth -= 1;
        Ok(check)
    }
}

/// Returns a token for a message.
fn name(token: &Token) -> String {
    match token {
        Token::Open => "'('".to_string(),
        Token::Close => "')'".to_string(),
        Token::And => "'and'".to_string(),
        Token::Or => "'or'".to_string(),
        Token::Not => "'not'".to_string(),
        Token::Check(Check::Test(test)) => format!("'{}'", test.text),
        Token::Check(_) => "a check".to_string(),
    }
}
