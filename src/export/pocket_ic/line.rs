//! A call in Rust, on one line if it fits there, else with an argument on each.

/// Widest line.
const WIDTH: usize = 120;

/// A call: what stands before its arguments, the opening parenthesis included; the arguments; what stands behind them.
pub struct Line {
    pub before: String,
    pub args: Vec<String>,
    pub after: String,
}

impl Line {
    /// A statement that is a call of this method.
    pub fn call(method: &str, args: Vec<String>) -> Line {
        Line { before: format!("t.{method}("), args, after: ");".to_string() }
    }

    /// Within more of what stands around it.
    pub fn within(self, before: &str, after: &str) -> Line {
        Line { before: format!("{before}{}", self.before), after: format!("{}{after}", self.after), ..self }
    }

    /// The text in the body of a function, with the line's end.
    pub fn text(&self) -> String {
        let line = format!("    {}{}{}", self.before, self.args.join(", "), self.after);
        if line.len() <= WIDTH {
            return line + "\n";
        }
        let args: String = self.args.iter().map(|arg| format!("        {arg},\n")).collect();
        format!("    {}\n{args}    {}\n", self.before, self.after)
    }
}
