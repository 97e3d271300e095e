//! From camera to camera: the ways between them, where they stand on the plan, and the routes that people followed.
//!
//! A route is made of tracks and goes with them: when a track is removed by its age its step is removed with it, and a
//! route without steps is none any more. Looks are kept nowhere but in the tracks.

use super::{At, Result, Store, StoreError, db::Tx, sql::Sql};
use crate::domain::{
    detection::Class,
    follow::{Route, RouteDraft, RouteStep, Sighting, Spot, StepDraft, Way},
    geometry::NormBox,
    ids::CameraId,
    query::Actor,
    search::Heading,
    time::{Span, WallTime},
};

/// The most routes listed.
const ROUTES_MAX: u32 = 200;
/// The most sightings read for one question.
const SIGHTINGS_MAX: u32 = 2000;

#[derive(sqlx::FromRow)]
struct StoredWay {
    from_camera: i64,
    to_camera: i64,
    heading: Option<String>,
    drawn_s: Option<i64>,
    times: i64,
    sum_ln: f64,
    sum_ln2: f64,
}

impl StoredWay {
    fn way(self) -> Result<Way> {
        let at = At { table: "way", row: self.from_camera };
        Ok(Way {
            from: CameraId(self.from_camera),
            to: CameraId(self.to_camera),
            heading: self.heading.map(|word| at.word("heading", &word, Heading::from_name)).transpose()?,
            drawn_s: self.drawn_s.map(|s| at.narrow("drawn_s", s)).transpose()?,
            times: at.narrow("times", self.times)?,
            sum_ln: self.sum_ln,
            sum_ln2: self.sum_ln2,
        })
    }
}

#[derive(sqlx::FromRow)]
struct StoredSighting {
    id: i64,
    camera: i64,
    start_us: i64,
    end_us: i64,
    class: String,
    votes: Option<String>,
    colours: Option<String>,
    heading: Option<String>,
    #[sqlx(rename = "box")]
    rect: String,
}

const SIGHTING: &str = "select t.id, t.camera, t.start_us, t.end_us, t.class, t.votes, t.colours, t.heading, t.box";

impl StoredSighting {
    fn sighting(self) -> Result<Sighting> {
        let at = At { table: "track", row: self.id };
        let rect: NormBox = at.json("box", &self.rect)?;
        Ok(Sighting {
            track: self.id,
            camera: CameraId(self.camera),
            span: Span { start_us: self.start_us, end_us: self.end_us.max(self.start_us) },
            class: at.word("class", &self.class, Class::from_label)?,
            votes: self.votes.map(|votes| at.json("votes", &votes)).transpose()?.unwrap_or_default(),
            colours: self.colours.map(|colours| at.json("colours", &colours)).transpose()?.unwrap_or_default(),
            heading: self.heading.map(|word| at.word("heading", &word, Heading::from_name)).transpose()?,
            area: rect.area(),
        })
    }
}

#[derive(sqlx::FromRow)]
struct StoredRoute {
    id: i64,
    class: String,
    case_number: Option<String>,
    reason: Option<String>,
    actor: String,
    made_us: i64,
}

const ROUTES: &str = "select id, class, case_number, reason, actor, made_us from route";

impl StoredRoute {
    fn route(self) -> Result<Route> {
        let at = At { table: "route", row: self.id };
        Ok(Route {
            id: self.id,
            class: at.word("class", &self.class, Class::from_label)?,
            case_number: self.case_number,
            reason: self.reason,
            actor: self.actor,
            made_us: self.made_us,
        })
    }
}

impl Store {
    /// All ways between cameras that take part.
    ///
    /// # Errors
    /// When the database fails, or a stored way can no longer be read.
    pub async fn ways(&self) -> Result<Vec<Way>> {
        let text = "select from_camera, to_camera, heading, drawn_s, times, sum_ln, sum_ln2 from way \
                    where from_camera in (select id from camera where retired_us is null) \
                    and to_camera in (select id from camera where retired_us is null) order by from_camera, to_camera";
        let rows: Vec<StoredWay> = self.db.rows(Sql::new(text)).await?;
        rows.into_iter().map(StoredWay::way).collect()
    }

    /// Where cameras stand on the plan.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn spots(&self) -> Result<Vec<Spot>> {
        let rows: Vec<(i64, f64, f64)> =
            self.db.rows(Sql::new("select camera, x, y from camera_spot order by camera")).await?;
        Ok(rows.into_iter().map(|(camera, x, y)| Spot { camera: CameraId(camera), x, y }).collect())
    }

    /// Replaces the drawing: where cameras stand, and the ways. What was learned of a way that stays is kept; what was
    /// learned of one that is not drawn any more is forgotten.
    ///
    /// # Errors
    /// A database error for a camera that is not there.
    pub async fn draw_plan(&self, spots: Vec<Spot>, ways: Vec<Way>) -> Result<()> {
        self.write(|tx| {
            Box::pin(async move {
                tx.execute(Sql::new("delete from camera_spot")).await?;
                for spot in spots {
                    let text = "insert into camera_spot (camera, x, y) values ($1, $2, $3)";
                    tx.execute(Sql::new(text).bind(spot.camera.0).bind(spot.x).bind(spot.y)).await?;
                }
                let there: Vec<(i64, i64)> = tx.rows(Sql::new("select from_camera, to_camera from way")).await?;
                for (from, to) in there {
                    if !ways.iter().any(|way| (way.from.0, way.to.0) == (from, to)) {
                        let text = "delete from way where from_camera = $1 and to_camera = $2";
                        tx.execute(Sql::new(text).bind(from).bind(to)).await?;
                    }
                }
                for way in ways {
                    let text = "insert into way (from_camera, to_camera, heading, drawn_s, times, sum_ln, sum_ln2) \
                                values ($1, $2, $3, $4, 0, 0.0, 0.0) on conflict (from_camera, to_camera) \
                                do update set heading = excluded.heading, drawn_s = excluded.drawn_s";
                    let sql = Sql::new(text).bind(way.from.0).bind(way.to.0);
                    let heading = way.heading.map(|heading| heading.name().to_owned());
                    tx.execute(sql.bind(heading).bind(way.drawn_s.map(i64::from))).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// A track as following needs it.
    ///
    /// # Errors
    /// When the database fails, or the stored track can no longer be read.
    pub async fn sighting(&self, track: i64) -> Result<Option<Sighting>> {
        let mut sql = Sql::new(SIGHTING);
        sql.push(" from track t where t.id = ").push_bind(track);
        let row: Option<StoredSighting> = self.db.row(sql).await?;
        row.map(StoredSighting::sighting).transpose()
    }

    /// Tracks of these classes that began at a camera in a span, oldest first, at most 2000.
    ///
    /// # Errors
    /// When the database fails, or a stored track can no longer be read.
    pub async fn sightings(&self, camera: CameraId, span: Span, classes: &[Class]) -> Result<Vec<Sighting>> {
        if classes.is_empty() {
            return Ok(Vec::new());
        }
        let mut sql = Sql::new(SIGHTING);
        sql.push(" from track t where t.camera = ").push_bind(camera.0);
        sql.push(" and t.start_us >= ").push_bind(span.start_us);
        sql.push(" and t.start_us < ").push_bind(span.end_us);
        sql.push(" and t.class in ").push_list(classes.iter().map(|class| class.name()));
        sql.push(" order by t.start_us, t.id limit ").push_bind(SIGHTINGS_MAX);
        let rows: Vec<StoredSighting> = self.db.rows(sql).await?;
        rows.into_iter().map(StoredSighting::sighting).collect()
    }

    /// Begins a route with its first sighting; its number.
    ///
    /// # Errors
    /// A database error for a track that is not there, and for a person without a case and a reason.
    pub async fn begin_route(&self, actor: &Actor, draft: &RouteDraft, now: WallTime) -> Result<i64> {
        let text =
            "insert into route (class, case_number, reason, actor, made_us) values ($1, $2, $3, $4, $5) returning id";
        let insert = Sql::new(text)
            .bind(draft.class.name())
            .bind(draft.case_number.clone())
            .bind(draft.reason.clone())
            .bind(actor.name.as_str())
            .bind(now.us());
        let (track, actor) = (draft.track, actor.name.clone());
        self.write(move |tx| {
            Box::pin(async move {
                let id = tx.number(insert).await?;
                let text = "insert into route_step (route, track, accepted, from_track, took_s, actor, time_us) \
                            values ($1, $2, $3, $4, $5, $6, $7)";
                let step = Sql::new(text).bind(id).bind(track).bind(true).bind(None::<i64>).bind(None::<i64>);
                tx.execute(step.bind(actor).bind(now.us())).await?;
                Ok(id)
            })
        })
        .await
    }

    /// The routes, the newest first, at most 200.
    ///
    /// # Errors
    /// When the database fails, or a stored route can no longer be read.
    pub async fn routes(&self) -> Result<Vec<Route>> {
        let mut sql = Sql::new(ROUTES);
        sql.push(" order by id desc limit ").push_bind(ROUTES_MAX);
        let rows: Vec<StoredRoute> = self.db.rows(sql).await?;
        rows.into_iter().map(StoredRoute::route).collect()
    }

    /// One route.
    ///
    /// # Errors
    /// As [`Store::routes`].
    pub async fn route(&self, id: i64) -> Result<Option<Route>> {
        let mut sql = Sql::new(ROUTES);
        sql.push(" where id = ").push_bind(id);
        let row: Option<StoredRoute> = self.db.row(sql).await?;
        row.map(StoredRoute::route).transpose()
    }

    /// What was said of sightings, by their start.
    ///
    /// # Errors
    /// When the database fails, or a stored track can no longer be read.
    pub async fn route_steps(&self, route: i64) -> Result<Vec<RouteStep>> {
        let said: Vec<(i64, bool, Option<i64>)> = self
            .db
            .rows(Sql::new("select track, accepted, took_s from route_step where route = $1").bind(route))
            .await?;
        let mut sql = Sql::new(SIGHTING);
        sql.push(" from track t where t.id in (select track from route_step where route = ").push_bind(route);
        sql.push(") order by t.start_us, t.id");
        let rows: Vec<StoredSighting> = self.db.rows(sql).await?;
        let mut steps = Vec::with_capacity(rows.len());
        for row in rows {
            let Some((_, accepted, took_s)) = said.iter().find(|(track, ..)| *track == row.id).copied() else {
                continue;
            };
            let took_s = took_s.and_then(|s| u32::try_from(s).ok());
            steps.push(RouteStep { sighting: row.sighting()?, accepted, took_s });
        }
        Ok(steps)
    }

    /// Keeps what a person said of a sighting; the way from the sighting before is learned from one that is accepted, and
    /// forgotten again when it no longer is.
    ///
    /// # Errors
    /// `NotFound` when there is no such route; a database error for a track that is not there.
    pub async fn take_step(
        &self,
        actor: &Actor,
        route: i64,
        step: StepDraft,
        before: Option<&Sighting>,
        now: WallTime,
    ) -> Result<()> {
        let (actor, before) = (actor.name.clone(), before.map(|b| (b.track, b.span.end_us)));
        self.write(move |tx| {
            Box::pin(async move {
                let there: Option<(i64,)> = tx.row(Sql::new("select id from route where id = $1").bind(route)).await?;
                there.ok_or(StoreError::NotFound { what: "route", id: route })?;
                tx.unlearn(route, step.track).await?;
                let start: Option<(i64,)> =
                    tx.row(Sql::new("select start_us from track where id = $1").bind(step.track)).await?;
                let (start_us,) = start.ok_or(StoreError::NotFound { what: "track", id: step.track })?;
                let took_s =
                    before.filter(|_| step.accepted).map(|(_, end_us)| ((start_us - end_us) / 1_000_000).max(1));
                let text = "insert into route_step (route, track, accepted, from_track, took_s, actor, time_us) \
                            values ($1, $2, $3, $4, $5, $6, $7) on conflict (route, track) do update \
                            set accepted = excluded.accepted, from_track = excluded.from_track, \
                            took_s = excluded.took_s, actor = excluded.actor, time_us = excluded.time_us";
                let sql = Sql::new(text).bind(route).bind(step.track).bind(step.accepted);
                let sql = sql.bind(before.map(|(track, _)| track)).bind(took_s).bind(actor).bind(now.us());
                tx.execute(sql).await?;
                if let (Some(took_s), Some((from, _))) = (took_s, before) {
                    tx.learn(from, step.track, took_s, 1).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Takes back what was said of a sighting.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn untake_step(&self, route: i64, track: i64) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                tx.unlearn(route, track).await?;
                let text = "delete from route_step where route = $1 and track = $2";
                tx.execute(Sql::new(text).bind(route).bind(track)).await.map(drop)
            })
        })
        .await
    }

    /// Removes a route; what was learned from it stays.
    ///
    /// # Errors
    /// `NotFound` when there is none.
    pub async fn remove_route(&self, id: i64) -> Result<()> {
        self.write(move |tx| {
            Box::pin(async move {
                tx.execute(Sql::new("delete from route_step where route = $1").bind(id)).await?;
                let gone = tx.execute(Sql::new("delete from route where id = $1").bind(id)).await?;
                if gone == 0 { Err(StoreError::NotFound { what: "route", id }) } else { Ok(()) }
            })
        })
        .await
    }
}

impl Tx {
    /// Adds (or with `sign` -1 takes away) a time that a way took.
    async fn learn(&mut self, from_track: i64, to_track: i64, took_s: i64, sign: i64) -> Result<()> {
        let camera = |track: i64| Sql::new("select camera from track where id = $1").bind(track);
        let (from, to): (Option<(i64,)>, Option<(i64,)>) =
            (self.row(camera(from_track)).await?, self.row(camera(to_track)).await?);
        let (Some((from,)), Some((to,))) = (from, to) else { return Ok(()) };
        if from == to {
            return Ok(());
        }
        let ln = (took_s as f64).ln();
        if sign < 0 {
            let text = "update way set times = times - 1, sum_ln = sum_ln - $3, sum_ln2 = sum_ln2 - $4 \
                        where from_camera = $1 and to_camera = $2 and times > 0";
            return self.execute(Sql::new(text).bind(from).bind(to).bind(ln).bind(ln * ln)).await.map(drop);
        }
        let text = "insert into way (from_camera, to_camera, heading, drawn_s, times, sum_ln, sum_ln2) \
                    values ($1, $2, null, null, 1, $3, $4) on conflict (from_camera, to_camera) do update \
                    set times = way.times + 1, sum_ln = way.sum_ln + excluded.sum_ln, \
                    sum_ln2 = way.sum_ln2 + excluded.sum_ln2";
        self.execute(Sql::new(text).bind(from).bind(to).bind(ln).bind(ln * ln)).await.map(drop)
    }

    /// Forgets what was learned from a step.
    async fn unlearn(&mut self, route: i64, track: i64) -> Result<()> {
        let text = "select from_track, took_s from route_step where route = $1 and track = $2";
        let row: Option<(Option<i64>, Option<i64>)> = self.row(Sql::new(text).bind(route).bind(track)).await?;
        if let Some((Some(from), Some(took_s))) = row {
            self.learn(from, track, took_s, -1).await?;
        }
        Ok(())
    }

    /// Takes the steps of tracks out that are being removed, and routes of which nothing is left.
    pub(super) async fn forget_steps(&mut self, tracks: impl IntoIterator<Item = i64>) -> Result<()> {
        let mut delete = Sql::new("delete from route_step where track in ");
        delete.push_list(tracks).push(" returning route");
        let routes: Vec<(i64,)> = self.rows(delete).await?;
        if routes.is_empty() {
            return Ok(());
        }
        let mut empty = Sql::new("delete from route_step where route in ");
        empty.push_list(routes.iter().map(|(route,)| *route));
        empty.push(" and route not in (select route from route_step where accepted)");
        self.execute(empty).await?;
        let mut delete = Sql::new("delete from route where id in ");
        delete.push_list(routes.iter().map(|(route,)| *route));
        delete.push(" and not exists (select 1 from route_step s where s.route = route.id)");
        self.execute(delete).await.map(drop)
    }
}
