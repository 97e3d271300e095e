-- Schema 12: who may use the site, who is signed in, and who has failed to.

-- A person's account; never deleted, since logs name it.
create table account (
    id integer not null primary key autoincrement, -- named in logs: must not come back for another person
    login text not null, -- what is typed to sign in
    login_fold text not null, -- the same in small letters: unique whatever the case
    name text not null, -- the person's name
    password text not null, -- Argon2id with its parameters and salt; never the password
    made_us integer not null, -- when it was made
    disabled_us integer, -- since when it may not be used; null: it may
    signed_in_us integer -- when its person last signed in; null: never
) strict;
create unique index account_login on account (login_fold);

-- What somebody is, and for which cameras.
create table account_role (
    id integer not null primary key autoincrement, -- only to have a key: a cluster may be null
    account integer not null references account (id), -- who
    role text not null check (role in ('police', 'duty', 'office', 'upper', 'admin', 'auditor')), -- what
    cluster integer references cluster (id) -- for which cameras; null: for all
) strict;
create index account_role_account on account_role (account);

-- Who is signed in.
create table session (
    token_sha256 text not null primary key, -- SHA-256 of what the browser holds: a copy of this table signs nobody in
    account integer not null references account (id), -- who
    made_us integer not null, -- when it began: it ends a fixed time after
    seen_us integer not null, -- when its person last did something: it ends when that is long ago
    peer text not null -- the address it was begun from
) strict;
create index session_account on session (account);

-- Failures to sign in that are still held against somebody; kept over a restart.
create table sign_in_failure (
    who text not null primary key, -- account:<login in small letters> or address:<IP address>
    n integer not null, -- how many in a row
    last_us integer not null -- when the last one was
) strict;
create index sign_in_failure_last on sign_in_failure (last_us);
