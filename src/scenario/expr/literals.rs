//! Literals of an expression: texts, integers of any size, and positions such as `.0`.

use num_bigint::BigInt;

use super::ExprError;
use super::words::{INTEGER, Rewriter};

/// Most digits of an integer.
const DIGITS_MAX: usize = 1000;

impl Rewriter<'_> {
    pub(super) fn string(&mut self, quote: u8) -> Result<(), ExprError> {
        let start = self.at;
        let rest = &self.text[start..];
        if rest.starts_with("\"\"\"") || rest.starts_with("'''") {
            return Err(self.error(start, "write a text between single quotation marks, not three"));
        }
        let mut out = String::from(char::from(quote));
        let mut chars = rest.char_indices().skip(1);
        while let Some((offset, c)) = chars.next() {
            match c {
                '\n' | '\r' => break,
                '\\' => {
                    out.push(c);
                    out.extend(chars.next().map(|(_, escaped)| escaped).filter(char::is_ascii));
                }
                c if c.is_ascii() => out.push(c),
                c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
            }
            if c == char::from(quote) {
                self.push(out, start, false);
                self.at = start + offset + 1;
                self.operand = true;
                return Ok(());
            }
        }
        Err(self.error(start, "the text is not closed on this line"))
    }

    pub(super) fn number(&mut self) -> Result<(), ExprError> {
        let start = self.at;
        let rest = &self.text[start..];
        let width = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let fraction =
            rest[width..].strip_prefix('.').map_or(0, |rest| rest.bytes().take_while(u8::is_ascii_digit).count());
        if fraction > 0 {
            self.copy(width + 1 + fraction);
            self.operand = true;
            return Ok(());
        }
        let (digits, radix) = rest[..width].strip_prefix("0x").map_or((&rest[..width], 10), |hex| (hex, 16));
        let index = self.integer(digits, radix)?;
        self.push(format!("{INTEGER}{index}"), start, false);
        self.at += width;
        self.operand = true;
        Ok(())
    }

    /// `.0` after an operand.
    pub(super) fn position(&mut self) -> Result<(), ExprError> {
        let start = self.at;
        let width = self.text[start + 1..].bytes().take_while(u8::is_ascii_digit).count();
        let index = self.integer(&self.text[start + 1..start + 1 + width], 10)?;
        self.push(format!("[{INTEGER}{index}]"), start, false);
        self.at += 1 + width;
        Ok(())
    }

    fn integer(&mut self, digits: &str, radix: u32) -> Result<usize, ExprError> {
        if digits.len() > DIGITS_MAX {
            return Err(self.error(self.at, format!("a number has at most {DIGITS_MAX} digits")));
        }
        let plain = digits.replace('_', "");
        let number = BigInt::parse_bytes(plain.as_bytes(), radix);
        let number = number.ok_or_else(|| {
            self.error(self.at, format!("`{digits}` is not an integer; write digits only, as in `1_000`"))
        })?;
        self.integers.push(number);
        Ok(self.integers.len() - 1)
    }
}
