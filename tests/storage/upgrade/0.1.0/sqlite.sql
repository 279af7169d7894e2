BEGIN TRANSACTION;
CREATE TABLE auth_binding (
	username VARCHAR(255) NOT NULL, 
	issuer VARCHAR(255) NOT NULL, 
	sub VARCHAR(255) NOT NULL, 
	organization VARCHAR(255), 
	bound_at DATETIME NOT NULL, 
	seen_at DATETIME NOT NULL, 
	CONSTRAINT pk_auth_binding PRIMARY KEY (username), 
	CONSTRAINT uq_auth_binding_issuer_sub UNIQUE (issuer, sub)
);
INSERT INTO "auth_binding" VALUES('é''0
username','é''1
issuer','é''2
sub','é''3
organization','2026-11-20 17:04:00.000000','2026-11-20 17:05:00.000000');
CREATE TABLE auth_claimable (
	username VARCHAR(255) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	value VARCHAR(1024) NOT NULL, 
	made_at DATETIME NOT NULL, 
	CONSTRAINT pk_auth_claimable PRIMARY KEY (username)
);
INSERT INTO "auth_claimable" VALUES('é''0
username','é''1
kind','é''2
value','2026-11-20 17:03:00.000000');
CREATE TABLE auth_emergency (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	username VARCHAR(255) NOT NULL, 
	address VARCHAR(64) NOT NULL, 
	reason VARCHAR(255) NOT NULL, 
	outcome VARCHAR(32) NOT NULL, 
	CONSTRAINT pk_auth_emergency PRIMARY KEY (id)
);
INSERT INTO "auth_emergency" VALUES(1,'2026-11-20 17:01:00.000000','é''2
username','é''3
address','é''4
reason','é''5
outcome');
CREATE TABLE auth_guest (
	id VARCHAR(16) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	sponsor VARCHAR(255) NOT NULL, 
	note VARCHAR(255) NOT NULL, 
	groups JSON NOT NULL, 
	made_at DATETIME NOT NULL, 
	open_until DATETIME NOT NULL, 
	ends_at DATETIME NOT NULL, 
	issuer VARCHAR(255), 
	sub VARCHAR(255), 
	username VARCHAR(255), 
	accepted_at DATETIME, 
	revoked_at DATETIME, 
	ended_at DATETIME, 
	CONSTRAINT pk_auth_guest PRIMARY KEY (id), 
	CONSTRAINT uq_auth_guest_digest UNIQUE (digest)
);
INSERT INTO "auth_guest" VALUES('é''0
id','é''1
digest','é''2
sponsor','é''3
note','[["person", "\u00e9''4"]]','2026-11-20 17:05:00.000000','2026-11-20 17:06:00.000000','2026-11-20 17:07:00.000000','é''8
issuer','é''9
sub','é''10
username','2026-11-20 17:11:00.000000','2026-11-20 17:12:00.000000','2026-11-20 17:13:00.000000');
CREATE TABLE auth_leaver (
	username VARCHAR(255) NOT NULL, 
	left_at DATETIME NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_auth_leaver PRIMARY KEY (username)
);
INSERT INTO "auth_leaver" VALUES('é''0
username','2026-11-20 17:01:00.000000','2026-11-20 17:02:00.000000');
CREATE TABLE auth_retired (
	digest VARCHAR(64) NOT NULL, 
	retired_at DATETIME NOT NULL, 
	CONSTRAINT pk_auth_retired PRIMARY KEY (digest)
);
INSERT INTO "auth_retired" VALUES('é''0
digest','2026-11-20 17:01:00.000000');
CREATE TABLE auth_retired_key (
	id INTEGER NOT NULL, 
	"key" VARCHAR(64) NOT NULL, 
	CONSTRAINT pk_auth_retired_key PRIMARY KEY (id)
);
INSERT INTO "auth_retired_key" VALUES(1,'é''1
key');
CREATE TABLE auth_session (
	issuer VARCHAR(255) NOT NULL, 
	sid VARCHAR(255) NOT NULL, 
	username VARCHAR(255) NOT NULL, 
	begun_at DATETIME NOT NULL, 
	CONSTRAINT pk_auth_session PRIMARY KEY (issuer, sid)
);
INSERT INTO "auth_session" VALUES('é''0
issuer','é''1
sid','é''2
username','2026-11-20 17:03:00.000000');
CREATE TABLE auth_used_token (
	issuer VARCHAR(255) NOT NULL, 
	jti VARCHAR(255) NOT NULL, 
	ends_at DATETIME NOT NULL, 
	CONSTRAINT pk_auth_used_token PRIMARY KEY (issuer, jti)
);
INSERT INTO "auth_used_token" VALUES('é''0
issuer','é''1
jti','2026-11-20 17:02:00.000000');
CREATE TABLE culling_activity (
	user VARCHAR(255) NOT NULL, 
	server VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	reported_at DATETIME NOT NULL, 
	active_at DATETIME NOT NULL, 
	busy JSON NOT NULL, 
	CONSTRAINT pk_culling_activity PRIMARY KEY (user, server, started)
);
INSERT INTO "culling_activity" VALUES('é''0
user','é''1
server','2026-11-20 17:02:00.000000','2026-11-20 17:03:00.000000','2026-11-20 17:04:00.000000','[["person", "\u00e9''5"]]');
CREATE TABLE culling_kept (
	user VARCHAR(255) NOT NULL, 
	server VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	times INTEGER NOT NULL, 
	until DATETIME NOT NULL, 
	CONSTRAINT pk_culling_kept PRIMARY KEY (user, server, started)
);
INSERT INTO "culling_kept" VALUES('é''0
user','é''1
server','2026-11-20 17:02:00.000000',4,'2026-11-20 17:04:00.000000');
CREATE TABLE culling_state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	CONSTRAINT pk_culling_state PRIMARY KEY (name)
);
INSERT INTO "culling_state" VALUES('é''0
name','[["person", "\u00e9''1"]]');
CREATE TABLE culling_stopped (
	id INTEGER NOT NULL, 
	user VARCHAR(255) NOT NULL, 
	server VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	stopped_at DATETIME NOT NULL, 
	cause VARCHAR(16) NOT NULL, 
	rule VARCHAR(63) NOT NULL, 
	reason JSON NOT NULL, cpu FLOAT DEFAULT '0' NOT NULL, memory BIGINT DEFAULT '0' NOT NULL, gpu INTEGER DEFAULT '0' NOT NULL, 
	CONSTRAINT pk_culling_stopped PRIMARY KEY (id)
);
INSERT INTO "culling_stopped" VALUES(1,'é''1
user','é''2
server','2026-11-20 17:03:00.000000','2026-11-20 17:04:00.000000','é''5
cause','é''6
rule','[["person", "\u00e9''7"]]',8.25,10,11);
CREATE TABLE "culling_warning" (
	user VARCHAR(255) NOT NULL, 
	server VARCHAR(255) NOT NULL, 
	started DATETIME NOT NULL, 
	asker VARCHAR(16) NOT NULL, 
	warned_at DATETIME NOT NULL, 
	told BOOLEAN DEFAULT 0 NOT NULL, 
	mailed BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_culling_warning PRIMARY KEY (user, server, started, asker)
);
INSERT INTO "culling_warning" VALUES('é''0
user','é''1
server','2026-11-20 17:02:00.000000','é''3
asker','2026-11-20 17:04:00.000000',1,0);
CREATE TABLE events_code (
	digest VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	seat VARCHAR(64), 
	pseudonym VARCHAR(64), 
	language VARCHAR(2), 
	queued_at DATETIME, 
	seen_at DATETIME, 
	entered_at DATETIME, 
	CONSTRAINT pk_events_code PRIMARY KEY (digest), 
	CONSTRAINT uq_events_code_seat UNIQUE (seat)
);
INSERT INTO "events_code" VALUES('é''0
digest','é''1
kind','é''2
seat','é''3
pseudonym','é''','2026-11-20 17:05:00.000000','2026-11-20 17:06:00.000000','2026-11-20 17:07:00.000000');
CREATE TABLE events_happened (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	what VARCHAR(16) NOT NULL, 
	seconds FLOAT, 
	CONSTRAINT pk_events_happened PRIMARY KEY (id)
);
INSERT INTO "events_happened" VALUES(1,'2026-11-20 17:01:00.000000','é''2
what',3.25);
CREATE TABLE events_purged (
	step VARCHAR(16) NOT NULL, 
	subject VARCHAR(64) NOT NULL, 
	count INTEGER NOT NULL, 
	done_at DATETIME, 
	CONSTRAINT pk_events_purged PRIMARY KEY (step, subject)
);
INSERT INTO "events_purged" VALUES('é''0
step','é''1
subject',3,'2026-11-20 17:03:00.000000');
CREATE TABLE events_seat (
	name VARCHAR(64) NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	stuck_at DATETIME, 
	failed VARCHAR(255), 
	CONSTRAINT pk_events_seat PRIMARY KEY (name)
);
INSERT INTO "events_seat" VALUES('é''0
name','é''1
state','2026-11-20 17:02:00.000000','é''3
failed');
CREATE TABLE events_state (
	name VARCHAR(32) NOT NULL, 
	value JSON NOT NULL, 
	CONSTRAINT pk_events_state PRIMARY KEY (name)
);
INSERT INTO "events_state" VALUES('é''0
name','[["person", "\u00e9''1"]]');
CREATE TABLE federation_audit (
	id INTEGER NOT NULL, 
	at DATETIME NOT NULL, 
	who VARCHAR(255) NOT NULL, 
	what VARCHAR(64) NOT NULL, 
	target VARCHAR(300) NOT NULL, 
	why VARCHAR(500) NOT NULL, 
	CONSTRAINT pk_federation_audit PRIMARY KEY (id)
);
INSERT INTO "federation_audit" VALUES(1,'2026-11-20 17:01:00.000000','é''2
who','é''3
what','é''4
target','é''5
why');
CREATE TABLE federation_home_site (
	"key" VARCHAR(300) NOT NULL, 
	person VARCHAR(255), 
	username VARCHAR(255), 
	site VARCHAR(64) NOT NULL, 
	set_at DATETIME NOT NULL, 
	set_by VARCHAR(255) NOT NULL, 
	reason VARCHAR(500) NOT NULL, 
	last_seen DATETIME NOT NULL, 
	CONSTRAINT pk_federation_home_site PRIMARY KEY ("key")
);
INSERT INTO "federation_home_site" VALUES('é''0
key','é''1
person','é''2
username','é''3
site','2026-11-20 17:04:00.000000','é''5
set_by','é''6
reason','2026-11-20 17:07:00.000000');
CREATE TABLE federation_join (
	token_hash VARCHAR(64) NOT NULL, 
	site VARCHAR(64) NOT NULL, 
	expires DATETIME NOT NULL, 
	CONSTRAINT pk_federation_join PRIMARY KEY (token_hash)
);
INSERT INTO "federation_join" VALUES('é''0
token_hash','é''1
site','2026-11-20 17:02:00.000000');
CREATE TABLE federation_live (
	site VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	body TEXT NOT NULL, 
	at DATETIME NOT NULL, 
	CONSTRAINT pk_federation_live PRIMARY KEY (site, kind)
);
INSERT INTO "federation_live" VALUES('é''0
site','é''1
kind','é''2
body','2026-11-20 17:03:00.000000');
CREATE TABLE federation_order (
	site VARCHAR(64) NOT NULL, 
	kind VARCHAR(16) NOT NULL, 
	message TEXT, 
	until DATETIME, 
	set_at DATETIME NOT NULL, 
	set_by VARCHAR(255) NOT NULL, 
	CONSTRAINT pk_federation_order PRIMARY KEY (site, kind)
);
INSERT INTO "federation_order" VALUES('é''0
site','é''1
kind','é''2
message','2026-11-20 17:03:00.000000','2026-11-20 17:04:00.000000','é''5
set_by');
CREATE TABLE federation_seen_token (
	site VARCHAR(64) NOT NULL, 
	jti VARCHAR(64) NOT NULL, 
	expires DATETIME NOT NULL, 
	CONSTRAINT pk_federation_seen_token PRIMARY KEY (site, jti)
);
INSERT INTO "federation_seen_token" VALUES('é''0
site','é''1
jti','2026-11-20 17:02:00.000000');
CREATE TABLE federation_site (
	name VARCHAR(64) NOT NULL, 
	model TEXT NOT NULL, 
	added_at DATETIME NOT NULL, 
	CONSTRAINT pk_federation_site PRIMARY KEY (name)
);
INSERT INTO "federation_site" VALUES('é''0
name','é''1
model','2026-11-20 17:02:00.000000');
CREATE TABLE federation_site_key (
	"key" VARCHAR(80) NOT NULL, 
	site VARCHAR(64) NOT NULL, 
	added_at DATETIME NOT NULL, 
	ends_at DATETIME, 
	CONSTRAINT pk_federation_site_key PRIMARY KEY ("key")
);
INSERT INTO "federation_site_key" VALUES('é''0
key','é''1
site','2026-11-20 17:02:00.000000','2026-11-20 17:03:00.000000');
CREATE TABLE federation_transition (
	id INTEGER NOT NULL, 
	site VARCHAR(64) NOT NULL, 
	at DATETIME NOT NULL, 
	state VARCHAR(16) NOT NULL, 
	reason VARCHAR(500) NOT NULL, 
	CONSTRAINT pk_federation_transition PRIMARY KEY (id)
);
INSERT INTO "federation_transition" VALUES(1,'é''1
site','2026-11-20 17:02:00.000000','é''3
state','é''4
reason');
CREATE TABLE jupytercloud_alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT jupytercloud_alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "jupytercloud_alembic_version" VALUES('auth_0002');
INSERT INTO "jupytercloud_alembic_version" VALUES('federation_0002');
INSERT INTO "jupytercloud_alembic_version" VALUES('culling_0004');
INSERT INTO "jupytercloud_alembic_version" VALUES('quotas_0003');
INSERT INTO "jupytercloud_alembic_version" VALUES('events_0001');
CREATE TABLE quotas_by_day (
	hub VARCHAR(63) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	day DATE NOT NULL, 
	gpu_type VARCHAR(64) NOT NULL, 
	seconds BIGINT NOT NULL, 
	cpu BIGINT NOT NULL, 
	memory BIGINT NOT NULL, 
	gpu BIGINT NOT NULL, 
	cost BIGINT NOT NULL, 
	starts INTEGER NOT NULL, 
	CONSTRAINT pk_quotas_by_day PRIMARY KEY (hub, kind, name, day, gpu_type)
);
INSERT INTO "quotas_by_day" VALUES('é''0
hub','é''1
kind','é''2
name','2026-11-04','é''4
gpu_type',6,7,8,9,10,11);
CREATE TABLE quotas_by_profile (
	hub VARCHAR(63) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	day DATE NOT NULL, 
	profile VARCHAR(63) NOT NULL, 
	gpu_type VARCHAR(64) NOT NULL, 
	seconds BIGINT NOT NULL, 
	cpu BIGINT NOT NULL, 
	memory BIGINT NOT NULL, 
	gpu BIGINT NOT NULL, 
	cost BIGINT NOT NULL, 
	starts INTEGER NOT NULL, 
	CONSTRAINT pk_quotas_by_profile PRIMARY KEY (hub, kind, name, day, profile, gpu_type)
);
INSERT INTO "quotas_by_profile" VALUES('é''0
hub','é''1
kind','é''2
name','2026-11-04','é''4
profile','é''5
gpu_type',7,8,9,10,11,12);
CREATE TABLE quotas_clock (
	hub VARCHAR(63) NOT NULL, 
	boot VARCHAR(64) NOT NULL, 
	offset_ms BIGINT NOT NULL, 
	right_s BIGINT NOT NULL, 
	CONSTRAINT pk_quotas_clock PRIMARY KEY (hub, boot)
);
INSERT INTO "quotas_clock" VALUES('é''0
hub','é''1
boot',3,4);
CREATE TABLE quotas_grant (
	id INTEGER NOT NULL, 
	hub VARCHAR(63) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	measure VARCHAR(12) NOT NULL, 
	gpu_type VARCHAR(64) NOT NULL, 
	amount BIGINT NOT NULL, 
	reason VARCHAR(500) NOT NULL, 
	granted_by VARCHAR(255) NOT NULL, 
	granted_s BIGINT NOT NULL, 
	begins_s BIGINT NOT NULL, 
	ends_s BIGINT NOT NULL, 
	CONSTRAINT pk_quotas_grant PRIMARY KEY (id)
);
INSERT INTO "quotas_grant" VALUES(1,'é''1
hub','é''2
kind','é''3
name','é''4
measure','é''5
gpu_type',7,'é''7
reason','é''8
granted_by',10,11,12);
CREATE TABLE quotas_horizon (
	hub VARCHAR(63) NOT NULL, 
	day DATE NOT NULL, 
	CONSTRAINT pk_quotas_horizon PRIMARY KEY (hub)
);
INSERT INTO "quotas_horizon" VALUES('é''0
hub','2026-11-02');
CREATE TABLE quotas_interval (
	id INTEGER NOT NULL, 
	hub VARCHAR(63) NOT NULL, 
	user VARCHAR(255) NOT NULL, 
	server VARCHAR(255) NOT NULL, 
	started_us BIGINT NOT NULL, 
	state VARCHAR(8) NOT NULL, 
	profile VARCHAR(63) NOT NULL, 
	cpu BIGINT NOT NULL, 
	memory BIGINT NOT NULL, 
	gpu INTEGER NOT NULL, 
	gpu_type VARCHAR(64) NOT NULL, 
	rate BIGINT NOT NULL, 
	begin_s BIGINT NOT NULL, 
	counted_s BIGINT NOT NULL, 
	ended_s BIGINT, 
	expires_s BIGINT, 
	closed_by VARCHAR(8), 
	accounts JSON NOT NULL, price_class VARCHAR(42) DEFAULT '' NOT NULL, 
	CONSTRAINT pk_quotas_interval PRIMARY KEY (id), 
	CONSTRAINT uq_quotas_interval_hub_user_server_started_us UNIQUE (hub, user, server, started_us)
);
INSERT INTO "quotas_interval" VALUES(1,'é''1
hub','é''2
user','é''3
server',5,'é''5
stat','é''6
profile',8,9,10,'é''10
gpu_type',12,13,14,15,16,'é''16
clo','[["person", "\u00e9''17"]]','é''18
price_class');
CREATE TABLE quotas_live (
	interval_id INTEGER NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	hub VARCHAR(63) NOT NULL, 
	CONSTRAINT pk_quotas_live PRIMARY KEY (interval_id, kind, name), 
	CONSTRAINT fk_quotas_live_interval_id_quotas_interval FOREIGN KEY(interval_id) REFERENCES quotas_interval (id) ON DELETE CASCADE
);
INSERT INTO "quotas_live" VALUES(1,'é''1
kind','é''2
name','é''3
hub');
CREATE TABLE quotas_member (
	hub VARCHAR(63) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	user VARCHAR(255) NOT NULL, 
	started_s BIGINT NOT NULL, 
	CONSTRAINT pk_quotas_member PRIMARY KEY (hub, kind, name, user)
);
INSERT INTO "quotas_member" VALUES('é''0
hub','é''1
kind','é''2
name','é''3
user',5);
CREATE TABLE "quotas_notice" (
	hub VARCHAR(63) NOT NULL, 
	kind VARCHAR(12) NOT NULL, 
	name VARCHAR(255) NOT NULL, 
	rule VARCHAR(63) NOT NULL, 
	counts VARCHAR(120) NOT NULL, 
	percent INTEGER NOT NULL, 
	since_s BIGINT NOT NULL, 
	mailed BOOLEAN DEFAULT 1 NOT NULL, 
	CONSTRAINT pk_quotas_notice PRIMARY KEY (hub, kind, name, rule, counts, percent)
);
INSERT INTO "quotas_notice" VALUES('é''0
hub','é''1
kind','é''2
name','é''3
rule','é''4
counts',6,7,1);
CREATE INDEX ix_auth_claimable_value ON auth_claimable (value);
CREATE INDEX ix_auth_session_username ON auth_session (username);
CREATE INDEX ix_auth_used_token_ends_at ON auth_used_token (ends_at);
CREATE INDEX ix_auth_guest_issuer_sub ON auth_guest (issuer, sub);
CREATE INDEX ix_auth_guest_username ON auth_guest (username);
CREATE INDEX ix_auth_emergency_at ON auth_emergency (at);
CREATE INDEX ix_federation_home_site_person ON federation_home_site (person);
CREATE INDEX ix_federation_home_site_last_seen ON federation_home_site (last_seen);
CREATE INDEX ix_federation_home_site_username ON federation_home_site (username);
CREATE INDEX ix_federation_home_site_site ON federation_home_site (site);
CREATE INDEX ix_federation_site_key_site ON federation_site_key (site);
CREATE INDEX ix_federation_transition_site_at ON federation_transition (site, at);
CREATE INDEX ix_federation_audit_at ON federation_audit (at);
CREATE INDEX ix_federation_audit_who ON federation_audit (who);
CREATE INDEX ix_federation_seen_token_expires ON federation_seen_token (expires);
CREATE INDEX ix_culling_stopped_user_stopped_at ON culling_stopped (user, stopped_at);
CREATE INDEX ix_culling_stopped_stopped_at ON culling_stopped (stopped_at);
CREATE INDEX ix_quotas_grant_account ON quotas_grant (hub, kind, name);
CREATE INDEX ix_quotas_interval_begin ON quotas_interval (hub, begin_s);
CREATE INDEX ix_quotas_interval_ended ON quotas_interval (hub, ended_s);
CREATE INDEX ix_quotas_interval_open ON quotas_interval (hub, state);
CREATE INDEX ix_quotas_member_user ON quotas_member (hub, user);
CREATE INDEX ix_quotas_live_account ON quotas_live (hub, kind, name);
CREATE INDEX ix_events_happened_what_at ON events_happened (what, at);
COMMIT;
