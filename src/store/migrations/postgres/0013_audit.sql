-- Schema 13: who looked at what, and why, in a chain that shows when it was bent.

-- One line of the log; never changed, never removed.
create table audit (
    id bigint not null primary key, -- 1, 2, 3, … without a hole: what is cut out is missed
    time_us bigint not null, -- when, UTC microseconds
    who text not null, -- the login, or local-admin, setup, cli:<user>
    role text, -- the role it was done by; null: none was needed
    action text not null, -- the right it needed
    what text not null, -- method and address, as asked
    camera bigint, -- whose pictures; null: of none, or of several
    start_us bigint, -- from when on; null: no span
    end_us bigint, -- until when; null: no span
    reason text, -- why, as its person said; null: none is asked for
    address text not null, -- from where
    before_sha256 text not null, -- the line before, or 64 zeros
    sha256 text not null -- of this line and the one before
);
create index audit_time on audit (time_us);
create index audit_who on audit (who, id);
create index audit_camera on audit (camera, id);

-- Where the log ends, so that lines cut from its end are missed; one row.
create table audit_head (
    id bigint not null primary key, -- always 1
    last bigint not null, -- the newest line
    sha256 text not null -- its hash
);
insert into audit_head (id, last, sha256) values (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- The end of the log at the end of a day, sealed: a log written anew from some line on does not fit it.
create table audit_seal (
    last bigint not null primary key, -- up to which line
    sha256 text not null, -- its hash
    made_us bigint not null, -- when it was sealed
    public_key text not null, -- Ed25519, hex
    signature text not null -- over all of the above, hex
);

alter table session add column purpose text; -- why its person looks, as said last; null: not said
