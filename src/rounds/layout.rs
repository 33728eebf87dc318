//! Where the canisters are, and which of them the driver plays.

use crate::engine::embedded::Embedded;
use crate::scenario::Code;
use crate::script::Script;

use super::Aim;

/// Where the canisters are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Layout {
    /// Subnet of each canister, by position. 0 is the one that the others share; rounds are made in order of subnets.
    pub(super) subnets: Vec<u8>,
    /// Which canisters are played by the driver, by position.
    stand_ins: Vec<bool>,
    /// Canisters by ascending id.
    pub(super) by_id: Vec<u16>,
}

impl Layout {
    /// The layout of a script: canisters that it sets apart are on subnets 1, 2, ... in its order.
    ///
    /// # Errors
    /// If it names a canister that the scenario does not have.
    pub fn new(engine: &Embedded, script: &Script, aim: Aim) -> Result<Layout, String> {
        let canisters = engine.start().canisters.len();
        let mut subnets = vec![0; canisters];
        let is_stand_in = |at: usize| {
            let code = engine.scenario.canisters.get(at).map(|canister| &canister.code);
            aim == Aim::PocketIc && code.is_some_and(|code| !matches!(code, Code::Wasm(_)))
        };
        let mut stand_ins: Vec<bool> = (0..canisters).map(is_stand_in).collect();
        let position = |name: &String| {
            let at = engine.scenario.canisters.iter().position(|canister| canister.name == *name);
            at.ok_or_else(|| format!("the scenario has no canister `{name}`"))
        };
        for (at, name) in script.apart.iter().enumerate() {
            subnets[position(name)?] = at as u8 + 1;
        }
        for name in &script.stand_ins {
            stand_ins[position(name)?] = true;
        }
        let mut by_id: Vec<u16> = (0..canisters as u16).collect();
        by_id.sort_by_key(|&canister| engine.kernel.id(canister));
        Ok(Layout { subnets, stand_ins, by_id })
    }

    /// Subnet of a canister.
    pub(super) fn subnet(&self, canister: u16) -> u8 {
        self.subnets[usize::from(canister)]
    }

    /// Whether the driver plays it.
    pub(super) fn is_stand_in(&self, canister: u16) -> bool {
        self.stand_ins.get(usize::from(canister)).copied().unwrap_or(false)
    }

    /// Number of subnets.
    pub(super) fn count(&self) -> u8 {
        self.subnets.iter().max().map_or(1, |last| last + 1)
    }

    /// Canisters of a subnet by ascending id.
    pub(super) fn of_subnet(&self, subnet: u8) -> Vec<u16> {
        self.by_id.iter().copied().filter(|&canister| self.subnet(canister) == subnet).collect()
    }
}
