//! Rewrites the words `and`, `or`, `not` and `=>` into CEL, and takes out what CEL's parser would get wrong.
//!
//! 1. `and`, `or` become `&&`, `||`.
//! 2. `not e` becomes `!(e)`, where `e` ends before the next `and`, `or`, `?`, `:`, `=>`, comma or bracket.
//! 3. `a => b => c` becomes `!(a)||!(b)||(c)`: lowest precedence, right associative.
//! 4. Integers of any size become names that index a table; `x.0` becomes `x[...]`; `1_000` is 1000.
//! 5. All else is copied, ASCII only: a character outside ASCII in a string becomes an escape.
//!
//! An [`OffsetMap`] leads back, so that errors name the user's column. Strings are left alone.

use num_bigint::BigInt;

use super::ExprError;
use crate::scenario::position::OffsetMap;

/// Longest expression in bytes, and most tokens of one: the parser recurses along chains.
const LENGTH_MAX: usize = 4096;
const TOKENS_MAX: usize = 600;
/// Deepest nesting of brackets, those that the rewriting adds included.
const DEPTH_MAX: usize = 32;
/// What the name of an integer starts with; a user's name does not start with two underscores.
pub(super) const INTEGER: &str = "__";

/// An expression as CEL reads it.
#[derive(Debug)]
pub(super) struct Rewritten {
    pub(super) text: String,
    pub(super) map: OffsetMap,
    /// The integers, by the number after [`INTEGER`].
    pub(super) integers: Vec<BigInt>,
}

/// Rewrites `text`.
pub(super) fn rewrite(text: &str) -> Result<Rewritten, ExprError> {
    if text.len() > LENGTH_MAX {
        return Err(ExprError::new(text, 0, format!("an expression has at most {LENGTH_MAX} bytes")));
    }
    let mut rewriter =
        Rewriter { text, at: 0, pieces: Vec::new(), frames: vec![Frame::new(0)], integers: Vec::new(), operand: false };
    while rewriter.at < text.len() {
        if rewriter.pieces.len() > TOKENS_MAX {
            return Err(rewriter.error(rewriter.at, format!("an expression has at most {TOKENS_MAX} tokens")));
        }
        rewriter.token()?;
    }
    rewriter.end_segment();
    rewriter.finish()
}

/// A stretch of the result: its text, where it comes from, and whether it was copied.
struct Piece {
    text: String,
    from: usize,
    copied: bool,
}

/// What is open between two brackets, or between a bracket and a comma.
struct Frame {
    /// Piece at which the current operand of `=>` starts.
    start: usize,
    /// Brackets that `not` opened and the next operator closes.
    closers: usize,
    /// Whether the segment has a `=>` yet.
    implied: bool,
    /// Whether the current operand of `=>` has a `?`.
    question: bool,
}

impl Frame {
    fn new(start: usize) -> Frame {
        Frame { start, closers: 0, implied: false, question: false }
    }
}

/// The state of a rewriting.
pub(super) struct Rewriter<'a> {
    pub(super) text: &'a str,
    pub(super) at: usize,
    pieces: Vec<Piece>,
    frames: Vec<Frame>,
    pub(super) integers: Vec<BigInt>,
    /// Whether the last token ended an operand, so that a dot after it is a field.
    pub(super) operand: bool,
}

impl Rewriter<'_> {
    pub(super) fn error(&self, at: usize, text: impl Into<String>) -> ExprError {
        ExprError::new(self.text, at, text)
    }

    pub(super) fn push(&mut self, text: impl Into<String>, from: usize, copied: bool) {
        self.pieces.push(Piece { text: text.into(), from, copied });
    }

    /// The innermost frame; there is always one, since a closing bracket never removes the first.
    fn frame(&mut self) -> &mut Frame {
        if self.frames.is_empty() {
            self.frames.push(Frame::new(0));
        }
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    fn token(&mut self) -> Result<(), ExprError> {
        let rest = &self.text[self.at..];
        let byte = rest.as_bytes()[0];
        let two = rest.get(..2).unwrap_or("");
        match byte {
            _ if two == "//" => self.at += rest.find('\n').unwrap_or(rest.len()),
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.push(" ", self.at, false);
                self.at += 1;
            }
            b'"' | b'\'' => self.string(byte)?,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => self.word()?,
            b'0'..=b'9' => self.number()?,
            b'.' if self.operand && rest[1..].starts_with(|c: char| c.is_ascii_digit()) => self.position()?,
            b'(' | b'[' => self.open(),
            b')' | b']' => self.close(),
            _ if two == "=>" => self.implies()?,
            _ if ["&&", "||"].contains(&two) => self.operator(two, 2),
            _ if ["==", "!=", "<=", ">="].contains(&two) => self.copy(2),
            b'?' => {
                self.operator("?", 1);
                self.frame().question = true;
            }
            b':' => self.operator(":", 1),
            b',' => {
                self.end_segment();
                self.copy(1);
                let start = self.pieces.len();
                *self.frame() = Frame::new(start);
            }
            b'+' | b'-' | b'*' | b'/' | b'%' | b'<' | b'>' | b'!' | b'.' => self.copy(1),
            b'=' => return Err(self.error(self.at, "write `==` to compare")),
            b'&' | b'|' => return Err(self.error(self.at, "write `and`, `or`, `&&` or `||`")),
            _ => {
                let c = rest.chars().next().unwrap_or(' ');
                return Err(self.error(self.at, format!("`{}` means nothing in an expression", c.escape_debug())));
            }
        }
        Ok(())
    }

    pub(super) fn copy(&mut self, width: usize) {
        self.push(&self.text[self.at..self.at + width], self.at, true);
        self.at += width;
        self.operand = false;
    }

    /// An operator that ends what `not` applies to.
    fn operator(&mut self, symbol: &str, width: usize) {
        self.end_not();
        self.push(symbol, self.at, true);
        self.at += width;
        self.operand = false;
    }

    fn end_not(&mut self) {
        let closers = std::mem::take(&mut self.frame().closers);
        if closers > 0 {
            self.push(")".repeat(closers), self.at, false);
        }
    }

    fn end_segment(&mut self) {
        self.end_not();
        let (start, implied) = (self.frame().start, self.frame().implied);
        if implied {
            self.bracket(start, "(", ")");
        }
    }

    /// Puts everything since piece `start` between `open` and `close`.
    fn bracket(&mut self, start: usize, open: &str, close: &str) {
        let from = self.pieces.get(start).map_or(self.at, |piece| piece.from);
        self.pieces.insert(start, Piece { text: open.to_string(), from, copied: false });
        self.push(close, self.at, false);
    }

    fn implies(&mut self) -> Result<(), ExprError> {
        if self.frame().question {
            return Err(
                self.error(self.at, "put parentheses around `... ? ... : ...` or `=>`, so that the order is clear")
            );
        }
        self.end_not();
        let start = self.frame().start;
        self.bracket(start, "!(", ")||");
        self.at += 2;
        self.operand = false;
        *self.frame() = Frame { implied: true, ..Frame::new(self.pieces.len()) };
        Ok(())
    }

    fn open(&mut self) {
        let start = self.pieces.len() + 1;
        self.copy(1);
        self.frames.push(Frame::new(start));
    }

    fn close(&mut self) {
        self.end_segment();
        if self.frames.len() > 1 {
            self.frames.pop();
        }
        self.copy(1);
        self.operand = true;
    }

    fn word(&mut self) -> Result<(), ExprError> {
        let start = self.at;
        let rest = &self.text[start..];
        let width = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let word = &rest[..width];
        let is_field = self.pieces.iter().rev().map(|piece| piece.text.as_str()).find(|text| *text != " ") == Some(".");
        if rest[width..].starts_with(['"', '\'']) && matches!(word, "r" | "R" | "b" | "B" | "br" | "bR" | "Br" | "BR") {
            return Err(self.error(start, format!("texts have no prefix; remove the `{word}`")));
        }
        if word.starts_with("__") {
            return Err(self.error(start, format!("`{word}` is not a name; names do not start with `__`")));
        }
        match word {
            "and" if !is_field => self.operator("&&", width),
            "or" if !is_field => self.operator("||", width),
            "not" if !is_field => {
                self.push("!(", start, false);
                self.frame().closers += 1;
                self.at += width;
                self.operand = false;
            }
            _ => {
                self.copy(width);
                self.operand = true;
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Rewritten, ExprError> {
        let mut text = String::new();
        let mut map = OffsetMap::default();
        let mut depth = 0usize;
        for piece in &self.pieces {
            map.push(text.len(), piece.from, piece.copied);
            text.push_str(&piece.text);
            // Brackets in strings are part of longer pieces that start with a quote.
            if !piece.text.starts_with(['"', '\'']) {
                depth += piece.text.matches(['(', '[']).count();
                depth = depth.saturating_sub(piece.text.matches([')', ']']).count());
            }
            if depth > DEPTH_MAX {
                return Err(self.error(piece.from, format!("an expression nests at most {DEPTH_MAX} levels deep")));
            }
        }
        map.push(text.len(), self.text.len(), true);
        Ok(Rewritten { text, map, integers: self.integers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cel(text: &str) -> String {
        rewrite(text).unwrap().text
    }

    #[test]
    fn words_become_operators_and_strings_stay() {
        assert_eq!(cel("a and b or c"), "a && b || c");
        assert_eq!(cel("x == \"a and 'not' => 1\""), "x == \"a and 'not' => 1\"");
        assert_eq!(cel("'\\'and' == x"), "'\\'and' == x");
        assert_eq!(cel("x.not.or"), "x.not.or");
        assert_eq!(cel("land == order"), "land == order");
        assert_eq!(cel("'é'"), "'\\U000000e9'");
        assert_eq!(cel("a // b\nand c"), "a  && c");
    }

    #[test]
    fn not_reaches_to_the_next_word_of_logic() {
        assert_eq!(cel("not a == b and c"), "!( a == b )&& c");
        assert_eq!(cel("not (a and b)"), "!( (a && b))");
        assert_eq!(cel("not not a"), "!( !( a))");
        assert_eq!(cel("f(not a, b)"), "f(!( a), b)");
    }

    #[test]
    fn an_implication_has_the_lowest_precedence_and_leans_right() {
        assert_eq!(cel("a or b => c"), "!(a || b )||( c)");
        assert_eq!(cel("a=>b=>c"), "!(a)||!(b)||(c)");
        assert_eq!(cel("(a=>b) and f(c=>d, e)"), "(!(a)||(b)) && f(!(c)||(d), e)");
        assert_eq!(cel("not a=>b"), "!(!( a))||(b)");
    }

    #[test]
    fn integers_become_names_of_exact_numbers() {
        let rewritten = rewrite("x.0 + 1_000 + 0xff + 99999999999999999999 + 1.5").unwrap();
        assert_eq!(rewritten.text, "x[__0] + __1 + __2 + __3 + 1.5");
        let digits: Vec<String> = rewritten.integers.iter().map(BigInt::to_string).collect();
        assert_eq!(digits, ["0", "1000", "255", "99999999999999999999"]);
    }

    #[test]
    fn what_cannot_be_rewritten_is_refused_at_its_column() {
        let error = |text: &str| rewrite(text).map_err(|error| (error.column, error.text)).unwrap_err();
        assert_eq!(error("a = b"), (3, "write `==` to compare".into()));
        assert_eq!(error("a & b"), (3, "write `and`, `or`, `&&` or `||`".into()));
        assert_eq!(error("'é' == @"), (8, "`@` means nothing in an expression".into()));
        assert_eq!(error("x == \"a"), (6, "the text is not closed on this line".into()));
        assert_eq!(error("x == r'a'"), (6, "texts have no prefix; remove the `r`".into()));
        assert_eq!(error("'''a'''"), (1, "write a text between single quotation marks, not three".into()));
        assert_eq!(error("__0"), (1, "`__0` is not a name; names do not start with `__`".into()));
        assert_eq!(error("5u"), (1, "`5u` is not an integer; write digits only, as in `1_000`".into()));
        assert_eq!(error("a ? b => c : d").0, 7);
        assert_eq!(error(&"9".repeat(1001)).1, "a number has at most 1000 digits");
        assert_eq!(error(&"x".repeat(5000)).1, "an expression has at most 4096 bytes");
        assert_eq!(error(&"(".repeat(100)).1, "an expression nests at most 32 levels deep");
        assert_eq!(error(&"not ".repeat(100)).1, "an expression nests at most 32 levels deep");
        assert_eq!(error(&"x+".repeat(400)).1, "an expression has at most 600 tokens");
    }
}
