use axum::{
    Router,
    middleware::{from_fn, from_fn_with_state},
    routing::{MethodFilter, MethodRouter, on},
};

use super::{
    back_test, cameras, changes, events, gaps, guard, health, live, locks, media, metrics, openapi, plan,
    routes_followed, rules, search, serve, shapes, state::AppState, status, storage, timeline, tracks, verdicts, video,
    web,
};
use crate::domain::rule::RuleKind;

/// What a person needs the right for; accounts will map roles to these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// See what is now: cameras, their state and last pictures.
    Live,
    /// Watch what was recorded.
    Playback,
    /// Look through events.
    Search,
    /// Say of an event what it was.
    Judge,
    /// Follow something from camera to camera, and keep its route.
    Follow,
    /// Take recordings away.
    Export,
    /// Change cameras, shapes, rules.
    Configure,
    /// Read who did what.
    Audit,
    /// Read the uptime figures.
    Uptime,
    /// Nothing: the page itself and the description of the interface.
    None,
}

/// The methods used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Reads; HEAD is answered beside it.
    Get,
    /// Adds.
    Post,
    /// Replaces.
    Put,
    /// Removes.
    Delete,
}

impl Method {
    /// As on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// How a query parameter is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Int,
    /// Whole numbers with commas between them.
    Ids,
    /// UTC microseconds or RFC 3339.
    Time,
    /// 1 or 0.
    Flag,
    /// Text.
    Text,
    /// One of these.
    OneOf(&'static [&'static str]),
}

/// One query parameter.
#[derive(Debug, Clone, Copy)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// How it is written.
    pub kind: Kind,
    /// What it does, one line.
    pub about: &'static str,
}

/// What comes back when all is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// 200 with JSON of this type (`openapi` knows them).
    Json(&'static str),
    /// 201 with JSON of this type.
    Created(&'static str),
    /// 204.
    Nothing,
    /// 200 (or 206) with this media type.
    Bytes(&'static str),
    /// 101: a WebSocket.
    Socket,
}

/// One route.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path as axum writes it.
    pub path: &'static str,
    /// The right it needs.
    pub action: Action,
    /// What it is about.
    pub resource: &'static str,
    /// Who answers.
    pub handler: fn(MethodFilter) -> MethodRouter<AppState>,
    /// One line on what it does.
    pub summary: &'static str,
    /// The query parameters it takes; all others are refused.
    pub query: &'static [Param],
    /// Type of the body it takes.
    pub request: Option<&'static str>,
    /// What comes back.
    pub answer: Answer,
}

impl Route {
    /// Whether the row serves that path, whatever the method.
    #[must_use]
    pub fn matches(&self, path: &str) -> bool {
        let (mut mine, mut asked) = (self.path.split('/'), path.split('/'));
        loop {
            match (mine.next(), asked.next()) {
                (Some(m), Some(_)) if m.starts_with("{*") => return true,
                (Some(m), Some(a)) if m == a || (m.starts_with('{') && !a.is_empty()) => {}
                (None, None) => return true,
                _ => return false,
            }
        }
    }
}

const CAMERA: Param = Param { name: "camera", kind: Kind::Int, about: "Of this camera; required." };
const INCIDENT_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param { name: "limit", kind: Kind::Int, about: "Most incidents of the page, 1 to 50; 20 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const EVENT_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param { name: "kind", kind: Kind::OneOf(&RuleKind::EACH_NAME), about: "Of this kind of rule." },
    Param {
        name: "class",
        kind: Kind::OneOf(&["person", "bicycle", "motorcycle", "car", "bus", "truck"]),
        about: "Of this class.",
    },
    Param { name: "from", kind: Kind::Time, about: "That started at or after this." },
    Param { name: "to", kind: Kind::Time, about: "That started before this." },
    Param { name: "limit", kind: Kind::Int, about: "Most events of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const COLOURS: &[&str] =
    &["red", "orange", "yellow", "green", "blue", "purple", "pink", "brown", "white", "grey", "black"];
const TRACK_FILTERS: &[Param] = &[
    OF_CAMERAS,
    Param {
        name: "class",
        kind: Kind::OneOf(&["person", "bicycle", "motorcycle", "car", "bus", "truck"]),
        about: "Of this class.",
    },
    Param { name: "colour", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour, anywhere." },
    Param { name: "upper", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour above the belt." },
    Param { name: "lower", kind: Kind::OneOf(COLOURS), about: "Mainly of this colour below the belt." },
    Param { name: "body", kind: Kind::OneOf(COLOURS), about: "With bodywork mainly of this colour." },
    Param { name: "identity", kind: Kind::Int, about: "At least so sure to be one object all the way, percent." },
    Param { name: "from", kind: Kind::Time, about: "That started at or after this." },
    Param { name: "to", kind: Kind::Time, about: "That started before this." },
    Param { name: "limit", kind: Kind::Int, about: "Most tracks of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same filters." },
];
const SEARCH: &[Param] = &[
    Param { name: "q", kind: Kind::Text, about: "What a person typed; how it was understood is in the answer." },
    Param { name: "what", kind: Kind::OneOf(&["track", "event"]), about: "Only what passed, or only events." },
    Param {
        name: "colour",
        kind: Kind::OneOf(&["unknown"]),
        about: "`unknown`: instead of those of the colours asked for, those of which none is known (infrared, too small).",
    },
    Param { name: "limit", kind: Kind::Int, about: "Most results of the page, 1 to 200; 50 when not given." },
    Param { name: "cursor", kind: Kind::Text, about: "`next` of the page before, with the same question." },
];
const TALLY: &[Param] = &[
    OF_CAMERAS,
    SINCE,
    UP_TO,
    Param { name: "step", kind: Kind::OneOf(&["hour", "day"]), about: "How wide a step is; an hour when not given." },
];
const CROP: Param = Param {
    name: "of",
    kind: Kind::OneOf(&["largest", "sharpest"]),
    about: "Of which sighting; the largest when not given.",
};
const BOXED: Param = Param { name: "boxed", kind: Kind::Flag, about: "1 (default) with the boxes drawn, 0 as seen." };
// Pages show a picture anew by asking at a new address; a parameter that does nothing else is still one of the table.
const TIME_SHOWN: Param =
    Param { name: "t", kind: Kind::Int, about: "Changes nothing: makes the address of a newer picture a new one." };
const REVISION_SHOWN: Param =
    Param { name: "r", kind: Kind::Int, about: "Changes nothing: makes the address of a newer picture a new one." };
const STREAM: Param = Param {
    name: "stream",
    kind: Kind::OneOf(&["main", "sub"]),
    about: "Which stream; when not given the main one, or the sub one where that cannot be played.",
};
const UNTIL: Param = Param {
    name: "until",
    kind: Kind::Time,
    about: "Where the clip ends, at most its event's `clip.end_us`: give it to read one and the same file piece by piece \
            while more is being recorded.",
};
const SINCE: Param =
    Param { name: "from", kind: Kind::Time, about: "From this time on; a day before the end when not given." };
const UP_TO: Param = Param {
    name: "to",
    kind: Kind::Time,
    about: "Up to this time; now (of what is to come: for ever) when not given.",
};
const OF_CAMERAS: Param = Param { name: "camera", kind: Kind::Ids, about: "Of these cameras." };
const SPAN: &[Param] = &[SINCE, UP_TO];
const CAMERAS_SPAN: &[Param] = &[OF_CAMERAS, SINCE, UP_TO];
const DOWNLOAD: Param = Param { name: "download", kind: Kind::Flag, about: "1 to keep it as a file." };

const FROM: Param = Param { name: "from", kind: Kind::Time, about: "Where it begins; required." };
const TO: Param = Param { name: "to", kind: Kind::Time, about: "Where it ends; required." };
const AT: Param = Param {
    name: "at",
    kind: Kind::Time,
    about: "Instead of the last picture that of the key frame at or before this in what was recorded.",
};
const LIGHT: Param = Param {
    name: "light",
    kind: Kind::OneOf(&["day", "dusk", "infrared"]),
    about: "By which light; day when not given.",
};
const STEP: Param = Param {
    name: "step",
    kind: Kind::Int,
    about: "Microseconds; spans closer to each other become one. 0 when not given.",
};
const LIVE_STREAM: Param =
    Param { name: "stream", kind: Kind::OneOf(&["main", "sub"]), about: "Which stream; sub when not given." };

macro_rules! table {
    ($($method:ident $path:literal, $action:ident $resource:literal, $handler:path, $summary:literal,
       $query:expr, $request:expr, $answer:ident $(($of:literal))?;)+) => {
        /// Every route, one row each.
        pub static TABLE: &[Route] = &[$(Route {
            method: Method::$method,
            path: $path,
            action: Action::$action,
            resource: $resource,
            handler: |filter| on(filter, $handler),
            summary: $summary,
            query: $query,
            request: $request,
            answer: Answer::$answer $(($of))?,
        },)+];
    };
}

table! {
    // method path, action resource, handler, summary, query, request, answer
    Get "/api/v1/cameras", Live "camera", cameras::list,
        "All cameras that take part, by code.", &[], None, Json("CameraList");
    Post "/api/v1/cameras", Configure "camera", cameras::add,
        "Adds a camera.", &[], Some("CameraDraft"), Created("Camera");
    Get "/api/v1/cameras/{id}", Live "camera", cameras::one,
        "One camera, also a retired one.", &[], None, Json("Camera");
    Put "/api/v1/cameras/{id}", Configure "camera", cameras::change,
        "Changes a camera; without a password the old one stays.", &[], Some("CameraDraft"), Json("Camera");
    Delete "/api/v1/cameras/{id}", Configure "camera", cameras::retire,
        "Retires a camera; what it recorded stays.", &[], None, Nothing;
    Get "/api/v1/cameras/{id}/picture.jpg", Live "camera", media::picture,
        "The last picture, or one of what was recorded; its time is in X-Picture-Time-Us.", &[TIME_SHOWN, AT, STREAM], None, Bytes("image/jpeg");
    Get "/api/v1/cameras/{id}/live", Live "camera", live::stream,
        "What it shows now: a message {mime, start_us}, then init and fragments of an MP4.", &[LIVE_STREAM], None, Socket;
    Get "/api/v1/cameras/{id}/video.mp4", Playback "camera", video::film,
        "The recording of a span of at most 24 h, any byte range of it; an end that is still to come is fixed by a redirect.",
        &[FROM, TO, STREAM, DOWNLOAD], None, Bytes("video/mp4");
    Get "/api/v1/cameras/{id}/video.json", Playback "camera", video::describe,
        "What that film is made of.", &[FROM, TO, STREAM], None, Json("Video");
    Get "/api/v1/cameras/{id}/health", Live "camera", health::show,
        "Whether its picture can be used: what is said now and was said in a span, and how it usually looks.", SPAN, None, Json("CameraHealth");
    Get "/api/v1/cameras/{id}/reference.jpg", Live "camera", health::reference,
        "How it usually looks by a light, in grey.", &[LIGHT, TIME_SHOWN], None, Bytes("image/jpeg");
    Post "/api/v1/cameras/{id}/health/accept", Configure "camera", health::accept,
        "How it looks now is right: what was learned before is forgotten.", &[], Some("ViewAccepted"), Nothing;
    Get "/api/v1/cameras/{id}/timeline", Playback "camera", timeline::show,
        "What of a span of at most a week was recorded, what moved, what is missing and why.",
        &[FROM, TO, STEP, STREAM], None, Json("Timeline");
    Get "/api/v1/cameras/{id}/gaps", Playback "camera", gaps::of_camera,
        "What is missing of each stream and why; recorded, gaps and removed add up to the window answered.",
        SPAN, None, Json("GapReport");
    Get "/api/v1/gaps", Playback "camera", gaps::of_all,
        "The same of several cameras, or of all that take part.", CAMERAS_SPAN, None, Json("GapReports");
    Get "/api/v1/locks", Playback "lock", locks::list,
        "The locks that hold, newest first.", &[], None, Json("LockList");
    Post "/api/v1/locks", Configure "lock", locks::add,
        "Keeps a span of some cameras from being removed.", &[], Some("LockDraft"), Created("Made");
    Delete "/api/v1/locks/{id}", Configure "lock", locks::remove,
        "Releases a lock.", &[], None, Nothing;
    Get "/api/v1/planned", Playback "planned", locks::list_planned,
        "Outages declared beforehand.", SPAN, None, Json("PlannedList");
    Post "/api/v1/planned", Configure "planned", locks::add_planned,
        "Declares an outage of some cameras, or of the site; it excuses only what comes after.",
        &[], Some("PlannedDraft"), Created("Made");
    Delete "/api/v1/planned/{id}", Configure "planned", locks::remove_planned,
        "Calls a declared outage off.", &[], None, Nothing;
    Get "/api/v1/clusters", Live "cluster", cameras::clusters,
        "All clusters, by name.", &[], None, Json("ClusterList");
    Get "/api/v1/shapes", Live "shape", shapes::list,
        "The shapes drawn on a camera's picture.", &[CAMERA], None, Json("ShapeList");
    Post "/api/v1/shapes", Configure "shape", shapes::add,
        "Adds a shape.", &[], Some("ShapeDraft"), Created("Shape");
    Put "/api/v1/shapes/{id}", Configure "shape", shapes::change,
        "Changes a shape.", &[], Some("ShapeDraft"), Json("Shape");
    Delete "/api/v1/shapes/{id}", Configure "shape", shapes::remove,
        "Removes a shape.", &[], None, Nothing;
    Get "/api/v1/rules", Live "rule", rules::list,
        "The rules in force, in their newest version.", &[], None, Json("RuleList");
    Get "/api/v1/models/extra", Live "rule", rules::extra_models,
        "The extra models that rules of the kind attribute can ask, and why one is not used.", &[], None, Json("ExtraModels");
    Post "/api/v1/rules", Configure "rule", rules::add,
        "Adds a rule.", &[], Some("RuleDraft"), Created("Rule");
    Put "/api/v1/rules/{id}", Configure "rule", rules::change,
        "Changes a rule: a new version.", &[], Some("RuleDraft"), Json("Rule");
    Delete "/api/v1/rules/{id}", Configure "rule", rules::remove,
        "Removes a rule; its events stay.", &[], None, Nothing;
    Get "/api/v1/events", Search "event", events::list,
        "Events, newest first, a page at a time.", EVENT_FILTERS, None, Json("EventPage");
    Get "/api/v1/events/{id}", Search "event", events::one,
        "One event.", &[], None, Json("Event");
    Put "/api/v1/events/{id}/verdict", Judge "event", verdicts::say,
        "An officer's word on an event; null takes it back.", &[], Some("VerdictDraft"), Json("Event");
    Get "/api/v1/incidents", Search "incident", verdicts::incidents,
        "Events that follow each other closely on a camera, as one; newest first.", INCIDENT_FILTERS, None, Json("IncidentPage");
    Post "/api/v1/rules/try", Search "rule", back_test::try_rule,
        "What a rule would have said of a camera's days, by the tracks kept; nothing is changed.", SPAN, Some("RuleDraft"), Json("BackTest");
    Get "/api/v1/rules/{id}/verdicts", Search "rule", verdicts::of_rule,
        "How often a rule was right by camera, and what a change would have spared.", &[], None, Json("RuleVerdicts");
    Get "/api/v1/rules/{id}/counts", Search "rule", verdicts::counts,
        "What went over a rule's line in a span of at most 31 days, by quarter of an hour.", SPAN, None, Json("LineCounts");
    Get "/api/v1/events/{id}/snapshot.jpg", Search "event", media::event_picture,
        "The picture of an event.", &[BOXED, REVISION_SHOWN], None, Bytes("image/jpeg");
    Get "/api/v1/events/{id}/clip.mp4", Playback "event", media::clip,
        "The recording around an event, any byte range of it; where it begins is in X-Clip-Start-Us.", &[STREAM, UNTIL, DOWNLOAD], None, Bytes("video/mp4");
    Get "/api/v1/tracks", Search "track", tracks::list,
        "Tracks: objects that passed, newest first, a page at a time.", TRACK_FILTERS, None, Json("TrackPage");
    Get "/api/v1/tracks/{id}", Search "track", tracks::one,
        "One track.", &[], None, Json("Track");
    Get "/api/v1/tracks/{id}/path", Search "track", tracks::way,
        "Where it was; straight between the points, `error` away at most (0..=1 of the picture).", &[], None, Json("TrackPath");
    Get "/api/v1/tracks/{id}/picture.jpg", Search "track", tracks::picture,
        "A picture of a track.", &[CROP, TIME_SHOWN], None, Bytes("image/jpeg");
    Get "/api/v1/search", Search "search", search::find,
        "What passed and what rules said, by a typed line; the newest first, a page at a time.", SEARCH, None, Json("SearchPage");
    Get "/api/v1/search/tally", Search "search", search::tally,
        "How many passed by class and how many events by kind, by the hour or the day.", TALLY, None, Json("SearchTally");
    Get "/api/v1/plan", Live "plan", plan::show,
        "Where cameras stand, and the ways between them with their times.", &[], None, Json("Plan");
    Put "/api/v1/plan", Configure "plan", plan::change,
        "Draws the plan anew; what was learned of ways that stay is kept.", &[], Some("PlanDraft"), Json("Plan");
    Get "/api/v1/routes", Follow "route", routes_followed::list,
        "The routes that were followed, newest first.", &[], None, Json("RouteList");
    Post "/api/v1/routes", Follow "route", routes_followed::begin,
        "Begins to follow what was seen; of a person only in a named case and with a reason.", &[], Some("RouteDraft"), Created("Route");
    Get "/api/v1/routes/{id}", Follow "route", routes_followed::one,
        "A route: its sightings, and those that may be the next, the likeliest first.", &[], None, Json("Route");
    Delete "/api/v1/routes/{id}", Follow "route", routes_followed::remove,
        "Removes a route.", &[], None, Nothing;
    Post "/api/v1/routes/{id}/steps", Follow "route", routes_followed::say,
        "A person says that a sighting is the one followed, or is not.", &[], Some("RouteStepDraft"), Json("Route");
    Get "/api/v1/changes", Live "change", changes::stream,
        "What changes, as it changes (server-sent events).", &[], None, Bytes("text/event-stream");
    Get "/api/v1/status", Live "status", status::show,
        "Version, time, analysis, alarms and counters.", &[], None, Json("Status");
    Get "/metrics", Live "metrics", metrics::show,
        "Everything counted, for Prometheus.", &[], None, Bytes("text/plain; version=0.0.4");
    Post "/api/v1/alarms/{id}/seen", Configure "alarm", status::alarm_seen,
        "A person has seen an alarm that waits for that.", &[], Some("AlarmSeen"), Nothing;
    Get "/api/v1/storage", Live "storage", storage::show,
        "How long recordings are kept, what they take, what fits, and a removal that waits for a word.", &[], None, Json("Storage");
    Put "/api/v1/storage", Configure "storage", storage::change,
        "Changes for how long recordings are kept; all settings at once.", &[], Some("StorageSettings"), Json("StorageSettings");
    Post "/api/v1/storage/confirm", Configure "storage", storage::confirm,
        "Lets the removal that waits go on.", &[], Some("StorageConfirm"), Nothing;
    Get "/api/v1/openapi.json", None "openapi", openapi::show,
        "This description.", &[], None, Json("OpenApi");
    Get "/", None "page", web::page,
        "The web app.", &[], None, Bytes("text/html");
    Get "/{*path}", None "page", web::page,
        "A file of the web app, or the web app itself.", &[], None, Bytes("text/html");
}

/// Everything this program serves.
pub fn router(state: AppState) -> Router {
    router_of(TABLE, state)
}

/// A router over other rows; [`router`] for everybody but tests.
pub fn router_of(rows: &'static [Route], state: AppState) -> Router {
    let mut router = Router::new();
    for row in rows {
        let gate = from_fn_with_state(row, guard::gate);
        router = router.route(row.path, (row.handler)(row.method.filter()).route_layer(gate));
    }
    router
        .method_not_allowed_fallback(guard::wrong_method)
        .fallback(guard::no_such_path)
        .layer(from_fn(guard::keep_out))
        .layer(serve::catch_panics(state.counters.clone()))
        .layer(from_fn(guard::harden))
        .with_state(state)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_change_needs_the_right_to_configure_to_judge_or_to_follow_and_no_read_the_former() {
        // A question that is too long for an address is posted, and changes nothing.
        let asks = |path: &str| path == "/api/v1/rules/try";
        let others = |action| matches!(action, Action::Follow | Action::Judge);
        for row in TABLE.iter().filter(|row| !others(row.action) && !asks(row.path)) {
            assert_eq!(
                row.method != Method::Get,
                row.action == Action::Configure,
                "{} {}",
                row.method.name(),
                row.path
            );
        }
    }

    #[test]
    fn a_row_matches_the_paths_it_serves_and_no_others() {
        let row = |path| TABLE.iter().find(|r| r.path == path).unwrap();
        let one = row("/api/v1/cameras/{id}");
        assert!(one.matches("/api/v1/cameras/7"));
        for other in ["/api/v1/cameras", "/api/v1/cameras/", "/api/v1/cameras/7/x", "/api/v1/rules/7"] {
            assert!(!one.matches(other), "{other}");
        }
        assert!(row("/{*path}").matches("/a/b/c") && row("/").matches("/"));
    }
}
