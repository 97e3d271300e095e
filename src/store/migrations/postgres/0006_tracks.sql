-- Schema 6: what is kept of a track, so that a search never decodes again. Null in rows that an earlier version kept.

alter table track add column open boolean; -- still followed
alter table track add column identity double precision; -- how sure it is that it was one object all the way, 0..=1
alter table track add column votes text; -- JSON object: class to sightings that the detector took for it
alter table track add column colours text; -- JSON [{"part", "shares": [{"colour", "share"}]}], greatest share first
alter table track add column upper_colours bigint; -- set of the main colours above the belt, a bit each; 0: not known
alter table track add column lower_colours bigint; -- the same below the belt
alter table track add column body_colours bigint; -- the same of a vehicle's bodywork
alter table track add column width_px bigint; -- of the largest sighting, in the analysed stream
alter table track add column height_px bigint; -- its height
alter table track add column path bytea; -- where it was, packed: `logic/path.rs`

drop index track_camera_start;
create index track_camera_start on track (camera, start_us, id);
create index track_start on track (start_us, id);
create index track_class_start on track (class, start_us, id);
create index track_open on track (id) where open;
