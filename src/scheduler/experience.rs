//! What finished schedules teach those that follow: how long chains and schedules are.
//!
//! In: a [`Record`] of each schedule. Out: expected numbers. Sums only, so the order in which records arrive does not
//! matter; `sample` adds them between two batches of schedules.

/// Fractions of a message in [`Experience::remaining`].
const UNIT: u64 = 256;

/// What one schedule was like.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Family and number of messages of each chain that began.
    pub chains: Vec<(u32, u32)>,
    /// Messages in all.
    pub messages: u32,
    /// How often faults, time and optional steps could have been made.
    pub opportunities: [u32; 3],
}

/// What was learned.
#[derive(Clone, Debug, Default)]
pub struct Experience {
    /// By family: how many chains had how many messages.
    lengths: Vec<Vec<u64>>,
    /// By family and messages made: expected number of those left.
    remaining: Vec<Vec<u64>>,
    longest: u32,
    opportunities: [u32; 3],
}

impl Experience {
    /// Nothing learned yet; a schedule may have about this many messages.
    pub fn new(messages: u32) -> Experience {
        let longest = messages.max(1);
        Experience { longest, opportunities: [longest; 3], ..Experience::default() }
    }

    /// Adds a schedule.
    pub fn add(&mut self, record: &Record) {
        for &(family, messages) in &record.chains {
            let family = family as usize;
            if self.lengths.len() <= family {
                self.lengths.resize(family + 1, Vec::new());
            }
            let lengths = &mut self.lengths[family];
            let messages = messages as usize;
            if lengths.len() <= messages {
                lengths.resize(messages + 1, 0);
            }
            lengths[messages] += 1;
        }
        self.longest = self.longest.max(record.messages);
        for (most, &seen) in self.opportunities.iter_mut().zip(&record.opportunities) {
            *most = (*most).max(seen);
        }
    }

    /// Works out the expectations from what was added.
    pub fn settle(&mut self) {
        self.remaining = self.lengths.iter().map(|lengths| remaining(lengths)).collect();
    }

    /// Expected number of messages that a chain of this family still has after so many, in fractions of a message; that of
    /// one message where nothing is known.
    pub fn remaining(&self, family: u32, made: u32) -> u64 {
        let known = self.remaining.get(family as usize).and_then(|family| family.get(made as usize));
        known.copied().unwrap_or(UNIT)
    }

    /// Messages of the longest schedule.
    pub fn longest(&self) -> u32 {
        self.longest
    }

    /// The largest number of times that faults (0), time steps (1), optional steps (2) could be made in a schedule.
    pub fn opportunities(&self, class: usize) -> u32 {
        self.opportunities[class]
    }
}

fn remaining(lengths: &[u64]) -> Vec<u64> {
    let left = |made: usize| {
        let longer = lengths.iter().enumerate().skip(made + 1);
        let (chains, messages) = longer
            .fold((0, 0), |(chains, sum), (length, &count)| (chains + count, sum + count * (length - made) as u64));
        (messages * UNIT).checked_div(chains).unwrap_or(UNIT)
    };
    (0..lengths.len()).map(left).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_chain_is_the_mean_over_the_chains_that_were_longer() {
        let mut experience = Experience::new(3);
        for messages in [2, 2, 8] {
            experience.add(&Record { chains: vec![(1, messages)], messages, opportunities: [0, 9, 1] });
        }
        experience.settle();
        // (2 + 2 + 8) / 3, then (1 + 1 + 7) / 3, then 6 of the one that is longer than 2.
        assert_eq!([0, 1, 2, 7].map(|made| experience.remaining(1, made) / UNIT), [4, 3, 6, 1]);
        assert_eq!(experience.remaining(0, 0), UNIT, "another family");
        assert_eq!(experience.remaining(1, 8), UNIT, "longer than ever before");
        assert_eq!((experience.longest(), experience.opportunities(0), experience.opportunities(1)), (8, 3, 9));
    }
}
