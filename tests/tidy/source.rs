//! Rust text as words and paths, without comments and literals.
//!
//! Not a parser: it knows just enough to tell which paths a file names, use trees included, and what
//! `super` stands for.

/// A word or sign that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Colons,
    Sign(char),
}

/// A path that a file names, such as `crate::proto::turnwise::v1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    /// From 1.
    pub(crate) line: usize,
    /// At least one; `super` and `self` are resolved, to `crate`.
    pub(crate) segments: Vec<String>,
}

impl Named {
    /// The path as it would be written.
    pub(crate) fn text(&self) -> String {
        self.segments.join("::")
    }
}

/// Every path and every lone word in the text of the file at `path`.
pub(crate) fn named(path: &str, text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let mut module = module_of(path);
    let mut inline = Vec::new();
    let mut depth = 0_usize;
    let mut named = Vec::new();
    let mut at = 0;
    while let Some((line, token)) = tokens.get(at) {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') => {
                depth = depth.saturating_sub(1);
                if inline.last() == Some(&depth) {
                    inline.pop();
                    module.pop();
                }
            }
            Token::Word(word) if word == "mod" => {
                if let (Some((_, Token::Word(name))), Some((_, Token::Sign('{')))) =
                    (tokens.get(at + 1), tokens.get(at + 2))
                {
                    module.push(name.clone());
                    inline.push(depth);
                    depth += 1;
                    at += 3;
                    continue;
                }
            }
            // Or `use ::name` would be one path.
            Token::Word(word) if word == "use" => {}
            Token::Word(_) if !follows_colons(&tokens, at) => {
                let mut found = Vec::new();
                at = tree(&tokens, at, Vec::new(), &mut found);
                named.extend(
                    found.into_iter().map(|segments| Named {
                        line: *line,
                        segments: resolve(segments, &module),
                    }),
                );
                continue;
            }
            Token::Word(_) | Token::Colons | Token::Sign(_) => {}
        }
        at += 1;
    }
    named
}

/// Whether the word is a later part of a path. A leading `::` names a crate.
fn follows_colons(tokens: &[(usize, Token)], at: usize) -> bool {
    let before = |back: usize| at.checked_sub(back).and_then(|i| tokens.get(i)).map(|(_, t)| t);
    before(1) == Some(&Token::Colons)
        && match before(2) {
            Some(Token::Word(word)) => word != "use",
            Some(Token::Sign(sign)) => *sign == '>',
            Some(Token::Colons) | None => false,
        }
}

/// Reads a path or a use tree from `at`; gives the index after it.
fn tree(
    tokens: &[(usize, Token)],
    mut at: usize,
    mut prefix: Vec<String>,
    found: &mut Vec<Vec<String>>,
) -> usize {
    let token = |at: usize| tokens.get(at).map(|(_, token)| token);
    loop {
        match token(at) {
            Some(Token::Word(word)) => {
                prefix.push(word.clone());
                at += 1;
                if token(at) != Some(&Token::Colons) {
                    break;
                }
                at += 1;
            }
            Some(Token::Sign('{')) => {
                at += 1;
                while let Some(inner) = token(at) {
                    match inner {
                        Token::Sign('}') => return at + 1,
                        Token::Sign(_) => at += 1,
                        Token::Colons => at += 1,
                        Token::Word(word) if word == "as" => at += 2,
                        Token::Word(_) => at = tree(tokens, at, prefix.clone(), found),
                    }
                }
                return at;
            }
            Some(Token::Sign('*')) => {
                prefix.push("*".to_owned());
                at += 1;
                break;
            }
            Some(Token::Sign(_) | Token::Colons) | None => break,
        }
    }
    found.push(prefix);
    at
}

fn resolve(segments: Vec<String>, module: &[String]) -> Vec<String> {
    let supers = segments.iter().take_while(|segment| *segment == "super").count();
    let is_self = segments.first().is_some_and(|first| first == "self") && segments.len() > 1;
    if supers == 0 && !is_self {
        return segments;
    }
    let kept = module.len().saturating_sub(supers);
    let rest = segments.into_iter().skip(supers.max(usize::from(is_self)));
    let base = module.iter().take(kept).cloned();
    std::iter::once("crate".to_owned()).chain(base).chain(rest).collect()
}

/// `src/consensus/log/disk.rs` is `consensus`, `log`, `disk`.
fn module_of(path: &str) -> Vec<String> {
    let path = path.strip_prefix("src/").unwrap_or(path);
    let path = path.strip_suffix(".rs").unwrap_or(path);
    let mut module: Vec<String> = path.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

fn tokens(text: &str) -> Vec<(usize, Token)> {
    let signs: Vec<char> = text.chars().collect();
    let at = |i: usize| signs.get(i).copied();
    let mut tokens = Vec::new();
    let (mut i, mut line) = (0, 1);
    while let Some(sign) = at(i) {
        let start = i;
        match (sign, at(i + 1)) {
            ('/', Some('/')) => i = until(&signs, i, |s| s == '\n'),
            ('/', Some('*')) => i = block_comment(&signs, i),
            ('"', _) => i = text_literal(&signs, i + 1),
            ('r' | 'b', Some('"' | '#' | 'r' | '\'')) if literal(&signs, i).is_some() => {
                i = literal(&signs, i).unwrap_or(i + 1);
            }
            ('\'', Some('\\')) => i = until(&signs, i + 3, |s| s == '\'') + 1,
            ('\'', _) if at(i + 2) == Some('\'') => i += 3,
            (':', Some(':')) => {
                tokens.push((line, Token::Colons));
                i += 2;
            }
            _ if sign.is_alphanumeric() || sign == '_' => {
                i = until(&signs, i, |s| !s.is_alphanumeric() && s != '_');
                let word = signs.iter().take(i).skip(start).collect();
                tokens.push((line, Token::Word(word)));
            }
            _ => {
                if !sign.is_whitespace() {
                    tokens.push((line, Token::Sign(sign)));
                }
                i += 1;
            }
        }
        line += signs.iter().take(i).skip(start).filter(|s| **s == '\n').count();
    }
    tokens
}

fn until(signs: &[char], from: usize, end: impl Fn(char) -> bool) -> usize {
    let rest = signs.iter().skip(from);
    from + rest.take_while(|sign| !end(**sign)).count()
}

fn block_comment(signs: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0_usize, from);
    while i < signs.len() {
        match (signs.get(i), signs.get(i + 1)) {
            (Some('/'), Some('*')) => (depth, i) = (depth + 1, i + 2),
            (Some('*'), Some('/')) => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

/// The index after a text literal whose opening quote is before `from`.
fn text_literal(signs: &[char], from: usize) -> usize {
    let mut i = from;
    while let Some(sign) = signs.get(i) {
        match sign {
            '\\' => i += 2,
            '"' => return i + 1,
            _ => i += 1,
        }
    }
    i
}

/// The index after a raw or byte literal at `from`; none if there is no such literal.
fn literal(signs: &[char], from: usize) -> Option<usize> {
    let at = |i: usize| signs.get(i).copied();
    let raw = match (at(from), at(from + 1)) {
        (Some('r'), _) => from + 1,
        (Some('b'), Some('r')) => from + 2,
        (Some('b'), Some('"')) => return Some(text_literal(signs, from + 2)),
        (Some('b'), Some('\'')) => return Some(until(signs, from + 3, |s| s == '\'') + 1),
        _ => return None,
    };
    let hashes = until(signs, raw, |s| s != '#') - raw;
    if at(raw + hashes) != Some('"') {
        return None;
    }
    let mut i = raw + hashes + 1;
    while i < signs.len() {
        let closed = signs.iter().skip(i + 1).take(hashes).filter(|s| **s == '#').count() == hashes;
        if at(i) == Some('"') && closed {
            return Some(i + 1 + hashes);
        }
        i += 1;
    }
    Some(i)
}

#[cfg(test)]
mod tests {
    use super::named;

    fn paths(path: &str, text: &str) -> Vec<String> {
        named(path, text)
            .iter()
            .filter(|named| named.segments.len() > 1)
            .map(|named| format!("{} {}", named.line, named.text()))
            .collect()
    }

    #[test]
    fn use_trees_are_unfolded() {
        let text = "use crate::{\n    a::{self, B as C, d::*},\n    e,\n};\nuse ::raft::x;\n";
        assert_eq!(
            paths("src/x.rs", text),
            ["1 crate::a::self", "1 crate::a::B", "1 crate::a::d::*", "1 crate::e", "5 raft::x"]
        );
    }

    #[test]
    fn super_and_self_are_resolved_within_inline_modules_too() {
        let text = "use super::y;\nmod inner { use super::super::z; fn f() { self::g::h() } }\n\
                    use super::w;";
        assert_eq!(
            paths("src/a/b.rs", text),
            ["1 crate::a::y", "2 crate::a::z", "2 crate::a::b::inner::g::h", "3 crate::a::w"]
        );
        assert_eq!(paths("src/a/mod.rs", "use super::y;"), ["1 crate::y"]);
    }

    #[test]
    fn comments_and_literals_are_not_read() {
        let text = "// crate::a\n/* crate::b /* crate::c */ */ let d = \"crate::e\\\" crate::f\";\n\
                    let g = r#\"crate::h\" crate::i\"#; let j = b\"crate::k\"; let l = '\"';\n\
                    fn m<'n>(o: &'n str) { p::q::<R>::s() }";
        assert_eq!(paths("src/x.rs", text), ["4 p::q"]);
    }

    #[test]
    fn lone_words_are_named_too() {
        let words: Vec<_> =
            named("src/x.rs", "let a: HashMap<B>;").iter().map(|n| n.text()).collect();
        assert_eq!(words, ["let", "a", "HashMap", "B"]);
    }
}
