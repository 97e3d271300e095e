//! One question in two tongues: as facets of packed hours and as SQL over the rows.

use super::{DWELLS_S, SAME_TIME};
use crate::{
    domain::{
        colour::{Colour, Part},
        search::{Search, Source},
    },
    store::sql::Sql,
};

/// Facets that must all hold; each of them is fulfilled when all of one of its lists do.
pub(super) type Groups = Vec<Vec<Vec<String>>>;

/// The facets of a question about that source, or about both; `phrases` are those its words stand in.
pub(super) fn groups(search: &Search, source: Option<Source>, phrases: &[(i64, String)]) -> Groups {
    let mut groups: Groups = Vec::new();
    let one = |facet: String| vec![facet];
    let mut any = |facets: Vec<Vec<String>>| {
        if !facets.is_empty() {
            groups.push(facets);
        }
    };
    any(source.iter().map(|s| one(format!("source:{}", s.name()))).collect());
    any(search.kinds.iter().map(|kind| one(format!("kind:{kind}"))).collect());
    any(phrases.iter().map(|(id, _)| one(format!("phrase:{id}"))).collect());
    any(search.cameras.iter().map(|camera| one(format!("camera:{camera}"))).collect());
    any(search.classes.iter().map(|class| one(format!("class:{}", class.name()))).collect());
    if search.colour_unknown {
        any(vec![one("colour:none".to_owned())]);
    } else {
        for wish in &search.colours {
            let parts = wish.part.map_or(Part::ALL.to_vec(), |part| vec![part]);
            let facet = |part: &Part, colour: &Colour| one(format!("{}:{}", part.name(), colour.name()));
            any(parts.iter().flat_map(|part| wish.any.iter().map(move |colour| facet(part, colour))).collect());
        }
    }
    any(search.headings.iter().map(|heading| one(format!("heading:{}", heading.name()))).collect());
    let towards = search.towards.iter().flat_map(|(camera, headings)| {
        headings.iter().map(move |h| vec![format!("camera:{camera}"), format!("heading:{}", h.name())])
    });
    any(towards.collect());
    any(search.size.iter().map(|size| one(format!("size:{}", size.name()))).collect());
    let dwell_s = search.dwell_least_us.unwrap_or(0) / 1_000_000;
    any(DWELLS_S.iter().rev().find(|s| **s <= dwell_s).map(|s| one(format!("dwell:{s}"))).into_iter().collect());
    groups
}

/// Adds ` and …` for tracks `t`.
pub(super) fn push_tracks(sql: &mut Sql, search: &Search) {
    if !search.classes.is_empty() {
        sql.push(" and t.class in ").push_list(search.classes.iter().map(|class| class.name()));
    }
    if !search.cameras.is_empty() {
        sql.push(" and t.camera in ").push_list(search.cameras.iter().map(|camera| camera.0));
    }
    push_dwell(sql, search, " and t.end_us - t.start_us >= ");
    push_looks(sql, search);
}

/// Adds ` and …` for events `e`.
pub(super) fn push_events(sql: &mut Sql, search: &Search, phrases: &[(i64, String)]) {
    if !search.kinds.is_empty() {
        sql.push(" and e.kind in ").push_list(search.kinds.iter().map(String::as_str));
    }
    if !phrases.is_empty() {
        sql.push(" and e.rule_name in ").push_list(phrases.iter().map(|(_, text)| text.as_str()));
    }
    if !search.classes.is_empty() {
        sql.push(" and e.class in ").push_list(search.classes.iter().map(|class| class.name()));
    }
    if !search.cameras.is_empty() {
        sql.push(" and e.camera in ").push_list(search.cameras.iter().map(|camera| camera.0));
    }
    push_dwell(sql, search, " and e.end_us - e.start_us >= ");
    let looks = Search { colour_unknown: false, ..search.clone() };
    let colours = !search.colour_unknown && !search.colours.is_empty();
    if colours || !search.headings.is_empty() || !search.towards.is_empty() || search.size.is_some() {
        sql.push(" and exists (select 1 from track t where t.camera = e.camera and t.number = e.track");
        sql.push(SAME_TIME);
        push_looks(sql, &if search.colour_unknown { Search { colours: Vec::new(), ..looks } } else { looks });
        sql.push(")");
    }
    if search.colour_unknown {
        sql.push(" and not exists (select 1 from track t where t.camera = e.camera and t.number = e.track");
        sql.push(SAME_TIME).push(" and ").push(ALL_COLOURS).push(" <> 0)");
    }
}

const ALL_COLOURS: &str = "(coalesce(t.upper_colours, 0) | coalesce(t.lower_colours, 0) | coalesce(t.body_colours, 0))";

fn push_dwell(sql: &mut Sql, search: &Search, text: &'static str) {
    if let Some(least_us) = search.dwell_least_us {
        sql.push(text).push_bind(least_us);
    }
}

fn push_looks(sql: &mut Sql, search: &Search) {
    if search.colour_unknown {
        sql.push(" and ").push(ALL_COLOURS).push(" = 0");
    } else {
        for wish in &search.colours {
            sql.push(match wish.part {
                Some(Part::Upper) => " and (coalesce(t.upper_colours, 0) & ",
                Some(Part::Lower) => " and (coalesce(t.lower_colours, 0) & ",
                Some(Part::Body) => " and (coalesce(t.body_colours, 0) & ",
                None => " and (",
            });
            if wish.part.is_none() {
                sql.push(ALL_COLOURS).push(" & ");
            }
            sql.push_bind(wish.bits()).push(") <> 0");
        }
    }
    if !search.headings.is_empty() {
        sql.push(" and t.heading in ").push_list(search.headings.iter().map(|heading| heading.name()));
    }
    for (i, (camera, headings)) in search.towards.iter().enumerate() {
        sql.push(if i == 0 { " and (" } else { " or " }).push("(t.camera = ").push_bind(camera.0);
        sql.push(" and t.heading in ").push_list(headings.iter().map(|heading| heading.name())).push(")");
    }
    if !search.towards.is_empty() {
        sql.push(")");
    }
    if let Some(size) = search.size {
        sql.push(" and t.size = ").push_bind(size.name());
    }
}
