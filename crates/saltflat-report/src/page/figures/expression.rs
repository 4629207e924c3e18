//! Numbers and keys of a configuration with + - * / and parentheses.

use crate::{Row, Run};

/// How deep parentheses and signs may be nested.
const DEEPEST: usize = 32;

/// An expression over keys of a configuration, such as `2(1+momentum)/lr`. A key without a dot is one of `[optimizer]`; `lr` is the rate at the
/// time, which a schedule changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Expression {
    /// As it was written.
    pub(super) text: String,
    /// Operands and operators in postfix order.
    program: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(f64),
    /// The full name of a key.
    Key(String),
    Add,
    Subtract,
    Multiply,
    Divide,
    Negate,
}

impl Expression {
    /// Reads an expression: `sum = product (+|- product)*`, `product = factor ((*|/)? factor)*`, `factor = -factor | number | key |
    /// (sum)`. A factor directly before an opening parenthesis is multiplied with it.
    ///
    /// # Errors
    /// What was expected, and at which character, counted from 1.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut reader = Reader { text, at: 0, program: Vec::new(), depth: 0 };
        reader.sum()?;
        match reader.peek() {
            None => Ok(Self { text: text.trim().into(), program: reader.program }),
            Some(_) => Err(reader.expected("an operator + - * /, or the end")),
        }
    }

    /// The full names of the keys in it.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.program.iter().filter_map(|token| if let Token::Key(key) = token { Some(key.as_str()) } else { None })
    }

    /// Its value for the configuration of a run, at the learning rate of this row.
    ///
    /// # Errors
    /// If a key is absent or no number, or the value is not finite.
    pub(super) fn value(&self, run: &Run, row: &Row) -> Result<f64, String> {
        let text = &self.text;
        let mut stack: Vec<f64> = Vec::new();
        for token in &self.program {
            let mut pop = || stack.pop().ok_or_else(|| format!("{text} is incomplete"));
            let value = match token {
                Token::Number(value) => *value,
                Token::Key(key) if key == "optimizer.lr" => {
                    run.learning_rate(row).ok_or_else(|| format!("the configuration has no number {key}"))?
                }
                Token::Key(key) => {
                    let found = run.config_value(key).ok_or_else(|| format!("the configuration has no key {key}"))?;
                    found.parse().map_err(|_| format!("{key} is {found}, which is no number"))?
                }
                Token::Negate => -pop()?,
                Token::Add => pop()? + pop()?,
                Token::Multiply => pop()? * pop()?,
                Token::Subtract => {
                    let right = pop()?;
                    pop()? - right
                }
                Token::Divide => {
                    let right = pop()?;
                    pop()? / right
                }
            };
            stack.push(value);
        }
        stack.pop().filter(|value| value.is_finite()).ok_or_else(|| format!("{text} is not finite"))
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    program: Vec<Token>,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&mut self) -> Option<char> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        self.rest().chars().next()
    }

    fn expected(&self, what: &str) -> String {
        let place = self.text.get(..self.at).unwrap_or_default().chars().count() + 1;
        let found = self.rest().chars().next().map_or("the end".into(), |c| format!("{c:?}"));
        format!("expected {what} at character {place} of {:?}, got {found}", self.text)
    }

    fn sum(&mut self) -> Result<(), String> {
        self.product()?;
        while let Some(sign @ ('+' | '-')) = self.peek() {
            self.at += 1;
            self.product()?;
            self.program.push(if sign == '+' { Token::Add } else { Token::Subtract });
        }
        Ok(())
    }

    fn product(&mut self) -> Result<(), String> {
        self.factor()?;
        while let Some(next @ ('*' | '/' | '(')) = self.peek() {
            if next != '(' {
                self.at += 1;
            }
            self.factor()?;
            self.program.push(if next == '/' { Token::Divide } else { Token::Multiply });
        }
        Ok(())
    }

    fn factor(&mut self) -> Result<(), String> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.expected(&format!("at most {DEEPEST} nested parentheses and signs")));
        }
        match self.peek() {
            Some('-') => {
                self.at += 1;
                self.factor()?;
                self.program.push(Token::Negate);
            }
            Some('(') => {
                self.at += 1;
                self.sum()?;
                if self.peek() != Some(')') {
                    return Err(self.expected("an operator + - * /, or \")\""));
                }
                self.at += 1;
            }
            Some(c) if c.is_ascii_digit() || c == '.' => self.number()?,
            Some(c) if c.is_ascii_alphabetic() => self.key(),
            _ => return Err(self.expected("a number, a key of the configuration or \"(\"")),
        }
        self.depth -= 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        let mut length = 0;
        for (at, c) in self.rest().char_indices() {
            let is_sign_of_exponent = c == '-' && self.rest()[..at].ends_with(['e', 'E']);
            if !(c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E') || is_sign_of_exponent) {
                break;
            }
            length = at + c.len_utf8();
        }
        let value = self.rest()[..length].parse().map_err(|_| self.expected("a number such as 2, 0.5 or 1e-3"))?;
        self.at += length;
        self.program.push(Token::Number(value));
        Ok(())
    }

    fn key(&mut self) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        let length = self.rest().find(|c| !is_part(c)).unwrap_or(self.rest().len());
        let name = &self.rest()[..length];
        let full = if name.contains('.') { name.to_string() } else { format!("optimizer.{name}") };
        self.at += length;
        self.program.push(Token::Key(full));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_those_of_arithmetic() {
        let config = "[optimizer]\nlr = 0.5\nmomentum = 0.5\n[train]\nepochs = 3";
        let run = Run { config: toml::from_str(config).unwrap(), ..Run::default() };
        let row: Row = serde_json::from_str(r#"{"epoch":1}"#).unwrap();
        let value = |text: &str| Expression::parse(text).and_then(|expression| expression.value(&run, &row));
        let known = [
            ("2(1+momentum)/lr", 6.0),
            ("1 - 2 - 3", -4.0),
            ("8/2/2*3", 6.0),
            ("-(1+2)*-2", 6.0),
            ("(1)(2)(3)", 6.0),
            ("train.epochs*1e-1", 3.0 * 0.1),
        ];
        for (text, expected) in known {
            assert_eq!(value(text), Ok(expected), "{text}");
        }
        assert_eq!(value("1/(lr-0.5)"), Err("1/(lr-0.5) is not finite".into()));
        assert_eq!(value("2/rate"), Err("the configuration has no key optimizer.rate".into()));
    }

    #[test]
    fn problems_point_at_their_place() {
        for (text, place) in [("2(1+momentum/lr", 16), ("2 /", 4), ("η", 1), ("1 2", 3), ("1..2", 1), ("", 1), (")", 1)]
        {
            let problem = Expression::parse(text).unwrap_err();
            assert!(problem.contains(&format!("at character {place} of")), "{text}: {problem}");
        }
        assert!(Expression::parse(&"(".repeat(100_000)).is_err());
        assert!(Expression::parse(&"-".repeat(100_000)).is_err());
    }
}
