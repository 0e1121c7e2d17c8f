//! Single looks at a state, of the store or of the model.

use contact_store::{AppId, IdentifierKind, MatchPolicy, Snapshot};

use super::view::{App, Card, Names, Reads, Subscriber, Tally};
use super::{Choices, Model, Refused};

/// One look at a state.
#[derive(Clone, Debug)]
pub enum Question {
    Card(u64),
    Find(Names, MatchPolicy),
    Apps,
    SubscriberByToken(AppId, String),
    /// The first page.
    Subscribers(AppId, usize),
    Messages(AppId, usize),
}

/// What is seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    Card(Result<Option<Card>, Refused>),
    Found(Result<Option<(Card, IdentifierKind)>, Refused>),
    Apps(Result<Vec<App>, Refused>),
    Subscriber(Result<Option<Subscriber>, Refused>),
    Subscribers(Result<Vec<Subscriber>, Refused>),
    Messages(Result<Vec<Tally>, Refused>),
}

impl Question {
    /// A question about what [`Request::choose`](super::Request::choose) makes.
    pub fn choose(choices: &mut Choices<'_>) -> Self {
        let app = AppId::from_u128(choices.of(&[0xa, 0xa, 0xb, 0xc]));
        match choices.below(8) {
            0 => Question::Card(choices.of(&[1, 2, 3, 7])),
            1 | 2 => Question::Find(
                choices.of(&[
                    Names::email("ann@example.com"),
                    Names::email("ben@example.com"),
                    Names::phone(380_500_000_001),
                    Names::external("crm-1").and(Names::phone(380_500_000_002)),
                ]),
                choices.of(&[MatchPolicy::Cascade, MatchPolicy::TopPriority]),
            ),
            3 | 4 => Question::SubscriberByToken(app, choices.of(&["t-1", "t-2"]).to_owned()),
            5 => Question::Apps,
            6 => Question::Subscribers(app, 3),
            _ => Question::Messages(app, 3),
        }
    }

    pub fn ask_store(&self, state: &Snapshot) -> Shown {
        self.ask(state)
    }

    pub fn ask_model(&self, state: &Model) -> Shown {
        self.ask(state)
    }

    fn ask(&self, state: &impl Reads) -> Shown {
        match self {
            Question::Card(id) => Shown::Card(state.card(*id)),
            Question::Find(names, policy) => Shown::Found(state.find(names, *policy)),
            Question::Apps => Shown::Apps(state.apps()),
            Question::SubscriberByToken(app, token) => {
                Shown::Subscriber(state.subscriber_by_token(*app, token))
            }
            Question::Subscribers(app, limit) => {
                Shown::Subscribers(state.subscribers(*app, None, *limit))
            }
            Question::Messages(app, limit) => Shown::Messages(state.messages(*app, None, *limit)),
        }
    }
}

impl Shown {
    /// Whether the store could not be asked, since the snapshot is of what failed or was closed.
    pub fn is_lost(&self) -> bool {
        let refused = match self {
            Shown::Card(shown) => shown.as_ref().err(),
            Shown::Found(shown) => shown.as_ref().err(),
            Shown::Apps(shown) => shown.as_ref().err(),
            Shown::Subscriber(shown) => shown.as_ref().err(),
            Shown::Subscribers(shown) => shown.as_ref().err(),
            Shown::Messages(shown) => shown.as_ref().err(),
        };
        matches!(refused, Some(Refused::Gone | Refused::NotRead))
    }
}

impl Model {
    /// How many contacts there are.
    pub fn contacts(&self) -> usize {
        self.cards.len()
    }

    /// The subscriber that a token is.
    pub fn subscriber_of(&self, app: AppId, token: &str) -> Option<u64> {
        self.by_token(app, token).map(|known| known.id)
    }
}
