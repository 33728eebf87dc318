//! Amounts as bytes: in Candid's own form they can be read back only from formats that describe themselves.

use std::collections::BTreeMap;

use candid::Nat;
use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An amount, as its bytes from the lowest on.
struct Amount(Nat);

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0.0.to_bytes_le())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        let bytes = <&[u8]>::deserialize(deserializer)?;
        Ok(Amount(Nat(BigUint::from_bytes_le(bytes))))
    }
}

/// An amount.
pub mod nat {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(amount: &Nat, serializer: S) -> Result<S::Ok, S::Error> {
        Amount(amount.clone()).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Nat, D::Error> {
        Amount::deserialize(deserializer).map(|amount| amount.0)
    }
}

/// An amount that may be missing.
pub mod optional_nat {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer>(amount: &Option<Nat>, serializer: S) -> Result<S::Ok, S::Error> {
        amount.clone().map(Amount).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Nat>, D::Error> {
        Ok(Option::<Amount>::deserialize(deserializer)?.map(|amount| amount.0))
    }
}

/// An amount or an error.
pub mod nat_or_error {
    use super::*;

    /// Writes it.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer, E: Serialize>(amount: &Result<Nat, E>, serializer: S) -> Result<S::Ok, S::Error> {
        amount.as_ref().map(|amount| Amount(amount.clone())).serialize(serializer)
    }

    /// Reads it.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>, E: Deserialize<'de>>(
        deserializer: D,
    ) -> Result<Result<Nat, E>, D::Error> {
        Ok(Result::<Amount, E>::deserialize(deserializer)?.map(|amount| amount.0))
    }
}

/// Amounts by key.
pub mod nats {
    use super::*;

    /// Writes them.
    ///
    /// # Errors
    /// What the serializer says.
    pub fn serialize<S: Serializer, K: Serialize>(
        amounts: &BTreeMap<K, Nat>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(amounts.iter().map(|(key, amount)| (key, Amount(amount.clone()))))
    }

    /// Reads them.
    ///
    /// # Errors
    /// What the deserializer says.
    pub fn deserialize<'de, D: Deserializer<'de>, K: Deserialize<'de> + Ord>(
        deserializer: D,
    ) -> Result<BTreeMap<K, Nat>, D::Error> {
        let amounts = BTreeMap::<K, Amount>::deserialize(deserializer)?;
        Ok(amounts.into_iter().map(|(key, amount)| (key, amount.0)).collect())
    }
}
