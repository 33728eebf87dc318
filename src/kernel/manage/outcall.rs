//! HTTP outcalls: answered by the scenario's script, through the canister's own transform function.

use candid::{Encode, Nat};

use super::super::guest::{Env, Response};
use super::super::{Kernel, Message, Unsupported, World};
use super::types::{HttpArg, HttpResponse, TransformArgs};
use super::{Answer, decode};

/// Largest body of a response (interface specification, `http_request`).
const BODY_MAX: u64 = 2_000_000;

impl Kernel {
    /// Answers an outcall with the next reply of the first script whose address matches.
    pub(super) fn outcall(&mut self, world: &mut World, caller: u16, arg: &[u8]) -> Result<Answer, Unsupported> {
        let arg: HttpArg = match decode(arg) {
            Ok(arg) => arg,
            Err(answer) => return Ok(answer),
        };
        let matches = |url: &str| match url.strip_suffix('*') {
            Some(beginning) => arg.url.starts_with(beginning),
            None => arg.url == url,
        };
        let Some(at) = self.plan.outcalls.iter().position(|script| matches(&script.url)) else {
            let shown: String = arg.url.chars().take(200).collect();
            let what = format!(
                "it makes an HTTP outcall to {shown}, and no `[[outcall]]` of the scenario says what is answered there: add \
                 one with `url = \"{shown}\"` and `replies`"
            );
            return Err(Unsupported { canister: self.id(caller), what, is_contradiction: false });
        };
        let script = &self.plan.outcalls[at];
        let used = usize::from(world.outcalls[at]).min(script.bodies.len() - 1);
        let body = script.bodies[used].clone();
        let response = HttpResponse { status: Nat::from(script.status), headers: Vec::new(), body };
        // Counted only as far as it matters: the last reply repeats, so further outcalls do not make new worlds.
        world.outcalls[at] = (used + 1).min(script.bodies.len() - 1) as u8;
        let most = arg.max_response_bytes.unwrap_or(BODY_MAX).min(BODY_MAX);
        if response.body.len() as u64 > most {
            return Ok(Answer::Reject(1, format!("Http body exceeds size limit of {most} bytes.")));
        }
        let Some(transform) = arg.transform else { return Ok(Answer::of(Encode!(&response))) };
        let function = transform.function.0;
        if function.principal != self.id(caller) {
            let text = "Transform function must be a query of the calling canister".to_string();
            return Ok(Answer::Reject(4, text));
        }
        let arg = Encode!(&TransformArgs { response, context: transform.context });
        let Ok(arg) = arg else { return Ok(Answer::of(arg)) };
        self.transform(world, caller, &function.method, &arg)
    }

    /// Runs the transform function on the canister's committed state; what it writes is dropped.
    fn transform(&mut self, world: &World, canister: u16, method: &str, arg: &[u8]) -> Result<Answer, Unsupported> {
        let method = self.tables.names.intern(method.to_string());
        let arg = self.tables.blobs.intern(arg.into());
        let message = self.tables.messages.intern(Message::Transform { method, arg });
        let state = world.canisters[usize::from(canister)];
        let caller = candid::Principal::management_canister();
        let env = Env { caller, ..self.env_outside(world, canister) };
        let effects = self.execute(canister, state.memory, message, &env)?;
        Ok(match (&effects.trap, effects.response) {
            (Some(trap), _) => Answer::Reject((trap.code / 100) as u8, self.trap_text(canister, trap)),
            (None, Some(response)) => match self.response(response) {
                Response::Reply(bytes) => Answer::Reply(bytes.to_vec()),
                Response::Reject { code, text } => Answer::Reject(*code, text.to_string()),
            },
            (None, None) => {
                Answer::Reject(5, format!("IC0506: Canister {} did not reply to the call", self.id(canister)))
            }
        })
    }
}
