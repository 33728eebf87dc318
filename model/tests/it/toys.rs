//! Canisters of a few lines, for tests of the model itself.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use candid::Principal;
use model::host::{Host, Wait};
use model::{Answer, Canister, LoomHost, Message, Model, done, reply};

use crate::corpus::written;

const CAST: &str = "format = 1\nname = \"toy\"\n[actor.alice]\n[canister.a]\nwasm = \"a.wasm\"\n[canister.b]\nwasm = \"b.wasm\"\n\
                    [canister.c]\nwasm = \"c.wasm\"\n[observe.x]\nfrom = \"a\"\nquery = \"x\"\n";

/// A model of three toys `a`, `b` and `c` with `calls` equal calls to a method of `a`.
pub fn toys(file: &str, method: &str, args: &str, calls: u32) -> Model {
    let text = format!(
        "{CAST}[[call]]\nid = \"call\"\nto = \"a\"\nmethod = \"{method}\"\nby = [\"alice\"]\nargs = '{args}'\nmax = {calls}\n"
    );
    Model::new(written(&text, file)).canister::<Toy>("a").canister::<Toy>("b").canister::<Toy>("c")
}

/// One call that awaits two requests together.
pub fn pair(file: &str, first: &str, second: &str) -> Model {
    let args = format!("(principal \"${{{first}}}\", principal \"${{{second}}}\")");
    toys(file, "pair", &args, 1)
}

/// Two calls that go through three canisters.
pub fn chain(file: &str) -> Model {
    toys(file, "chain", "(vec { principal \"${b}\"; principal \"${c}\" })", 2)
}

/// Does what the method says; its state is a counter.
pub struct Toy;

impl Canister for Toy {
    type State = u64;

    fn init(_: &[u8]) -> Result<u64, String> {
        Ok(0)
    }

    async fn call(host: LoomHost<u64>, message: Message) -> Answer {
        host.state(|x| *x += 1);
        match message.method.as_str() {
            "x" => return reply(host.state(|x| *x)),
            "pair" => {
                let (first, second) = message.args()?;
                both(send(&host, first, "end", vec![]), send(&host, second, "end", vec![])).await;
            }
            "chain" => {
                let mut left: Vec<Principal> = message.arg()?;
                if !left.is_empty() {
                    let next = left.remove(0);
                    return send(&host, next, "chain", candid::encode_one(left).unwrap()).await;
                }
            }
            "for_ever" => loop {
                send(&host, message.arg()?, "end", vec![]).await?;
            },
            "panic" => {
                send(&host, message.arg()?, "end", vec![]).await?;
                panic!("the second half is missing");
            }
            "wait" => std::future::pending().await,
            "end" => {}
            _ => return message.no_such_method(),
        }
        done()
    }
}

async fn send(host: &LoomHost<u64>, callee: Principal, method: &str, arg: Vec<u8>) -> Answer {
    host.call(callee, method, arg, Wait::Unbounded).await
}

/// Awaits two answers, in whichever order they come.
async fn both(first: impl Future<Output = Answer>, second: impl Future<Output = Answer>) {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut has_first, mut has_second) = (false, false);
    poll_fn(|context| {
        has_first = has_first || first.as_mut().poll(context).is_ready();
        has_second = has_second || second.as_mut().poll(context).is_ready();
        if has_first && has_second { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}
