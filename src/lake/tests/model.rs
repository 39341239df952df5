//! The argument of docs/leases.md as a small machine, and every state it can come to. Knows the protocol, not the code.
//!
//! Whoever decides what happens next is against us: any runner may stand still for any time (a freeze is never being
//! chosen), any observer may conclude at any moment that a holder is silent (a clock that jumps), any request may be
//! carried out late, or never, while its sender was told that it failed, and a runner may die and come back as another.

use std::collections::BTreeSet;

/// Links a chain may grow to. Two are always left for whoever holds the lease, so that bounding stops nobody halfway.
const LONGEST: usize = 7;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    epoch: u8,
    /// The nonce: one for each life of a runner.
    by: u8,
    is_held: bool,
    publishes: bool,
}

/// A create-only put: where, and of what.
type Request = (usize, Link);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Doing {
    Looking,
    /// Saw, at some time, that tonight is not published.
    Wanting,
    /// Saw the chain end before this place, with a lease that was free or thought silent.
    Taking {
        place: usize,
        epoch: u8,
    },
    /// Has the lease and has not looked since.
    Holding {
        last: usize,
        epoch: u8,
    },
    /// Looked under the lease: tonight is not published.
    Publishing {
        last: usize,
        epoch: u8,
    },
    Releasing {
        last: usize,
        epoch: u8,
    },
    Ended,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct State {
    chain: Vec<Link>,
    runners: Vec<(u8, Doing)>,
    /// Requests whose sender was told that they failed.
    under_way: BTreeSet<Request>,
    losses_left: u8,
    deaths_left: u8,
    lives: u8,
}

/// The protocol, and the protocol with one of its parts taken away: the model must see what each part is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    AsItIs,
    PutsWriteOver,
    NobodyLooksAgain,
    EpochsAreNotCompared,
}

impl State {
    fn first(runners: u8) -> Self {
        Self {
            chain: Vec::new(),
            runners: (0..runners).map(|life| (life, Doing::Looking)).collect(),
            under_way: BTreeSet::new(),
            losses_left: 2,
            deaths_left: 1,
            lives: runners,
        }
    }

    fn is_published(&self) -> bool {
        self.chain.iter().any(|link| link.publishes)
    }

    /// What the store does with a put.
    fn put(&mut self, (place, link): Request, protocol: Protocol) {
        if place == self.chain.len() {
            self.chain.push(link);
        } else if protocol == Protocol::PutsWriteOver && place < self.chain.len() {
            self.chain[place] = link;
        }
    }

    /// Every state that can be next.
    fn next(&self, protocol: Protocol) -> Vec<State> {
        let mut found = Vec::new();
        for request in &self.under_way {
            let mut late = self.clone();
            late.under_way.remove(request);
            late.put(*request, protocol);
            found.push(late);
        }
        for at in 0..self.runners.len() {
            let (life, doing) = self.runners[at];
            if doing != Doing::Ended && self.deaths_left > 0 {
                let mut died = self.clone();
                died.runners[at] = (self.lives, Doing::Looking);
                died.deaths_left -= 1;
                died.lives += 1;
                found.push(died);
            }
            match doing {
                Doing::Ended => {}
                Doing::Looking => {
                    let then = if self.is_published() { Doing::Ended } else { Doing::Wanting };
                    found.push(self.with(at, then));
                }
                Doing::Wanting => {
                    let epoch = self.chain.last().map_or(0, |link| link.epoch) + 1;
                    let place = self.chain.len();
                    if place + 2 < LONGEST {
                        found.push(self.with(at, Doing::Taking { place, epoch }));
                    }
                }
                Doing::Holding { last, epoch } => {
                    let looks = protocol != Protocol::NobodyLooksAgain;
                    let then = if looks && self.is_published() {
                        Doing::Releasing { last, epoch }
                    } else {
                        Doing::Publishing { last, epoch }
                    };
                    found.push(self.with(at, then));
                }
                Doing::Taking { place, epoch } => {
                    let link = Link { epoch, by: life, is_held: true, publishes: false };
                    self.sent(at, (place, link), Doing::Holding { last: place, epoch }, protocol, &mut found);
                }
                Doing::Publishing { last, epoch } => {
                    let link = Link { epoch, by: life, is_held: false, publishes: true };
                    self.sent(at, (last + 1, link), Doing::Ended, protocol, &mut found);
                }
                Doing::Releasing { last, epoch } => {
                    let link = Link { epoch, by: life, is_held: false, publishes: false };
                    self.sent(at, (last + 1, link), Doing::Ended, protocol, &mut found);
                }
            }
        }
        found
    }

    /// A put that is answered, and one that its sender is told failed: it keeps its mind and sends the same again.
    fn sent(&self, at: usize, request: Request, won: Doing, protocol: Protocol, found: &mut Vec<State>) {
        let (place, link) = request;
        let mut answered = self.clone();
        answered.put(request, protocol);
        let standing = answered.chain[place];
        answered.runners[at].1 = match self.runners[at].1 {
            _ if standing == link => won,
            // Somebody was quicker.
            Doing::Taking { .. } => Doing::Wanting,
            Doing::Publishing { epoch, .. } if protocol == Protocol::EpochsAreNotCompared => {
                Doing::Publishing { last: place, epoch }
            }
            // Fenced.
            _ => Doing::Ended,
        };
        if answered.chain.len() <= LONGEST {
            found.push(answered);
        }
        if self.losses_left > 0 {
            let mut lost = self.clone();
            lost.losses_left -= 1;
            lost.under_way.insert(request);
            found.push(lost);
        }
    }

    fn with(&self, at: usize, doing: Doing) -> State {
        let mut next = self.clone();
        next.runners[at].1 = doing;
        next
    }

    fn mistake(&self) -> Option<&'static str> {
        if self.chain.iter().filter(|link| link.publishes).count() > 1 {
            return Some("tonight is published twice");
        }
        for pair in self.chain.windows(2) {
            let (before, after) = (pair[0], pair[1]);
            if after.epoch < before.epoch {
                return Some("a fenced holder added to the chain");
            }
            if after.epoch == before.epoch && (after.by != before.by || !before.is_held) {
                return Some("an epoch has two holders, or one after it was given back");
            }
        }
        None
    }
}

/// Walks everything that can be reached: how many states there are, or the first mistake.
fn explore(protocol: Protocol, runners: u8) -> Result<usize, (&'static str, State)> {
    let mut seen = BTreeSet::from([State::first(runners)]);
    let mut to_see = vec![State::first(runners)];
    while let Some(state) = to_see.pop() {
        if let Some(mistake) = state.mistake() {
            return Err((mistake, state));
        }
        let next = state.next(protocol);
        if next.is_empty() && !state.is_published() && state.chain.len() + 2 < LONGEST {
            return Err(("everybody ended and nothing is published", state));
        }
        for one in next {
            if !one.chain.starts_with(&state.chain) {
                return Err(("what stood in the chain was written over", one));
            }
            if seen.insert(one.clone()) {
                to_see.push(one);
            }
        }
    }
    Ok(seen.len())
}

#[test]
fn no_order_of_events_publishes_twice_or_by_a_fenced_holder() {
    for runners in [1, 2, 3] {
        let states = explore(Protocol::AsItIs, runners).unwrap_or_else(|(mistake, at)| panic!("{mistake}: {at:#?}"));
        println!("{runners} runners: {states} states");
        assert!(states > 10);
    }
}

#[test]
fn without_any_part_of_the_protocol_the_model_finds_the_mistake() {
    for protocol in [Protocol::PutsWriteOver, Protocol::NobodyLooksAgain, Protocol::EpochsAreNotCompared] {
        let (mistake, _) = explore(protocol, 2).expect_err("the part is needed");
        println!("{protocol:?}: {mistake}");
    }
}
