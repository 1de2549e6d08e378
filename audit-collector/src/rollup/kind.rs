//! By what events are told apart when they are counted. Pure.

use std::borrow::Cow;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use shared::event::Event;

use crate::event_log::{identity_word, searchable};
use crate::search::{Detail, OWN_PATHS, TEXT_CHARACTERS_MAX};

/// What events of a kind have in common: as the columns of an event, texts by their first characters, since a key must fit into an
/// index, and empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Kind<'e> {
    pub(super) detail: Detail,
    pub(super) class: Cow<'e, str>,
    pub(super) action: Cow<'e, str>,
    pub(super) outcome: Cow<'e, str>,
    pub(super) identity: Cow<'e, str>,
    pub(super) service: Cow<'e, str>,
    pub(super) reason: Cow<'e, str>,
    pub(super) route: Cow<'e, str>,
    pub(super) template: Cow<'e, str>,
    pub(super) status: i32,
}

impl<'e> Kind<'e> {
    fn of(event: &'e Event) -> Self {
        let facts = &event.facts;
        let http = facts.http.as_ref();
        let policy = facts.policy.as_ref();
        Self {
            detail: Detail::Full,
            class: Cow::Borrowed(facts.class.as_str()),
            action: short(&facts.action),
            outcome: Cow::Borrowed(facts.outcome.as_str()),
            identity: Cow::Borrowed(identity_word(facts.actor.identity)),
            service: Cow::Borrowed(&event.source.service),
            reason: short(facts.reason.as_deref().unwrap_or_default()),
            route: short(
                policy
                    .and_then(|policy| policy.route.as_deref())
                    .unwrap_or_default(),
            ),
            template: short(http.and_then(|http| http.route.as_deref()).unwrap_or_default()),
            status: http.and_then(|http| http.status).map_or(0, i32::from),
        }
    }

    /// The kind in brief: what is left of it where only a few things are told apart.
    fn in_brief(&self) -> Self {
        let own = |path: &str| {
            Cow::Borrowed(if path.starts_with(OWN_PATHS) {
                OWN_PATHS
            } else {
                ""
            })
        };
        Self {
            detail: Detail::Brief,
            reason: Cow::Borrowed(""),
            route: own(&self.route),
            template: own(&self.template),
            status: 0,
            ..self.clone()
        }
    }

    fn into_owned(self) -> Kind<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Kind {
            detail: self.detail,
            class: owned(self.class),
            action: owned(self.action),
            outcome: owned(self.outcome),
            identity: owned(self.identity),
            service: owned(self.service),
            reason: owned(self.reason),
            route: owned(self.route),
            template: owned(self.template),
            status: self.status,
        }
    }
}

/// A kind that was met, by its number among the others.
pub(super) type Place = usize;

/// The kinds that were met, so that each is put together once.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    places: HashMap<Kind<'static>, Place, RandomState>,
    met: Vec<Met>,
}

#[derive(Debug)]
struct Met {
    kind: Kind<'static>,
    /// The same in brief; itself if it is that.
    brief: Place,
    /// As the database knows it.
    id: Option<i32>,
}

impl Kinds {
    /// The kind of an event, in full.
    pub(super) fn of(&mut self, event: &Event) -> Place {
        self.place(Kind::of(event))
    }

    /// The number of a kind.
    pub(super) fn place(&mut self, kind: Kind<'_>) -> Place {
        if let Some(place) = self.places.get(&kind) {
            return *place;
        }
        let brief = kind.in_brief().into_owned();
        let brief = self.places.get(&brief).copied().unwrap_or_else(|| {
            let itself = self.met.len();
            self.meet(brief, itself)
        });
        self.meet(kind.into_owned(), brief)
    }

    fn meet(&mut self, kind: Kind<'static>, brief: Place) -> Place {
        let place = self.met.len();
        self.places.insert(kind.clone(), place);
        self.met.push(Met {
            kind,
            brief,
            id: None,
        });
        place
    }

    /// The same kind in brief.
    pub(super) fn brief(&self, place: Place) -> Place {
        self.met.get(place).map_or(place, |met| met.brief)
    }

    pub(super) fn detail(&self, place: Place) -> Detail {
        self.met.get(place).map_or(Detail::Full, |met| met.kind.detail)
    }

    /// The number that the database has given it, if that is known.
    pub(super) fn id(&self, place: Place) -> Option<i32> {
        self.met.get(place)?.id
    }

    /// Kinds whose number in the database is not known.
    pub(super) fn unknown(&self) -> impl Iterator<Item = (Place, &Kind<'static>)> {
        let all = self.met.iter().enumerate();
        all.filter(|(_, met)| met.id.is_none())
            .map(|(place, met)| (place, &met.kind))
    }

    /// Keeps the numbers that the database has given.
    pub(super) fn know(&mut self, ids: &[(Place, i32)]) {
        for (place, id) in ids {
            if let Some(met) = self.met.get_mut(*place) {
                met.id = Some(*id);
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.met.len()
    }
}

/// A text as counts are kept by it.
pub(crate) fn short(text: &str) -> Cow<'_, str> {
    if text.len() <= TEXT_CHARACTERS_MAX {
        return searchable(text);
    }
    let end = text
        .char_indices()
        .nth(TEXT_CHARACTERS_MAX)
        .map_or(text.len(), |(end, _)| end);
    searchable(text.get(..end).unwrap_or_default())
}
