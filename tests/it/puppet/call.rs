//! A call that a program makes, with the programs that its answers run.

use candid::Principal;

use super::op::Op;
use super::{Expr, Program};

/// A call to be made.
#[derive(Clone, Debug)]
pub struct Call {
    callee: Expr,
    method: Expr,
    data: Option<Expr>,
    on_reply: Program,
    on_reject: Program,
    on_cleanup: Option<Program>,
    /// Functions instead of programs: reply, reject, cleanup.
    raw: Option<[(u32, u32); 2]>,
    raw_cleanup: Option<(u32, u32)>,
    /// Code between the beginning and the end, in the order given.
    settings: Vec<u8>,
    result: Option<u8>,
}

impl Call {
    /// A call of a method without argument, whose answers are ignored.
    pub fn to(callee: impl Into<Expr>, method: &str) -> Call {
        Call {
            callee: callee.into(),
            method: method.into(),
            data: None,
            on_reply: Program::new(),
            on_reject: Program::new(),
            on_cleanup: None,
            raw: None,
            raw_cleanup: None,
            settings: Vec::new(),
            result: None,
        }
    }

    /// A puppet is to run this.
    pub fn run(callee: Principal, program: Program) -> Call {
        Call::to(callee, "run").with(program)
    }

    /// The argument.
    pub fn with(mut self, argument: impl Into<Expr>) -> Call {
        self.data = Some(argument.into());
        self
    }

    /// What a reply runs.
    pub fn on_reply(mut self, program: Program) -> Call {
        self.on_reply = program;
        self
    }

    /// What a reject runs.
    pub fn on_reject(mut self, program: Program) -> Call {
        self.on_reject = program;
        self
    }

    /// What any answer runs.
    pub fn on_answer(self, program: Program) -> Call {
        self.on_reply(program.clone()).on_reject(program)
    }

    /// What runs when the callback traps.
    pub fn on_cleanup(mut self, program: Program) -> Call {
        self.on_cleanup = Some(program);
        self
    }

    /// Function and environment of the callback, whatever they are.
    pub fn on_answer_raw(self, function: u32, env: u32) -> Call {
        self.on_answers_raw((function, env), (function, env))
    }

    /// Likewise, for a reply and for a reject.
    pub fn on_answers_raw(mut self, reply: (u32, u32), reject: (u32, u32)) -> Call {
        self.raw = Some([reply, reject]);
        self
    }

    /// Function and environment of the cleanup, whatever they are.
    pub fn on_cleanup_raw(mut self, function: u32, env: u32) -> Call {
        self.raw_cleanup = Some((function, env));
        self
    }

    /// Attaches cycles; each time it is said, more.
    pub fn cycles(self, cycles: impl Into<Expr>) -> Call {
        self.setting(cycles, Op::CallCycles)
    }

    /// Waits so many seconds at most.
    pub fn timeout(self, seconds: impl Into<Expr>) -> Call {
        self.setting(seconds, Op::CallTimeout)
    }

    fn setting(mut self, value: impl Into<Expr>, op: Op) -> Call {
        self.settings.extend_from_slice(value.into().code());
        self.settings.push(op as u8);
        self
    }

    /// A cell gets the result of `call_perform`.
    pub fn result_in(mut self, cell: u8) -> Call {
        self.result = Some(cell);
        self
    }

    /// The code that begins it and, if wanted, performs it.
    pub fn code(&self, is_performed: bool) -> Vec<u8> {
        let mut code = Vec::new();
        let push = |code: &mut Vec<u8>, value: Expr| code.extend_from_slice(value.code());
        push(&mut code, self.callee.clone());
        push(&mut code, self.method.clone());
        match self.raw {
            None => {
                push(&mut code, self.on_reply.clone().into());
                push(&mut code, self.on_reject.clone().into());
                code.push(Op::CallNew as u8);
            }
            Some([reply, reject]) => {
                for number in [reply.0, reply.1, reject.0, reject.1] {
                    push(&mut code, u128::from(number).into());
                }
                code.push(Op::CallNewRaw as u8);
            }
        }
        if let Some(cleanup) = &self.on_cleanup {
            push(&mut code, cleanup.clone().into());
            code.push(Op::CallOnCleanup as u8);
        }
        if let Some((function, env)) = self.raw_cleanup {
            push(&mut code, u128::from(function).into());
            push(&mut code, u128::from(env).into());
            code.push(Op::CallOnCleanupRaw as u8);
        }
        code.extend_from_slice(&self.settings);
        if let Some(data) = &self.data {
            push(&mut code, data.clone());
            code.push(Op::CallData as u8);
        }
        match self.result {
            _ if !is_performed => {}
            None => code.extend([Op::CallPerform as u8, Op::Drop as u8]),
            Some(cell) => code.extend([Op::CallPerform as u8, Op::SetCell as u8, cell]),
        }
        code
    }
}
