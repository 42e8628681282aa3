-- The state of `made_by_0001.sql` taken over by migration 0002, as SQL text: never changed. Six more runs that stop their
-- servers are open: each in another state of the stop, the last with an event that is no JSON.
PRAGMA user_version = 2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE brake (
    id          INTEGER PRIMARY KEY,
    server      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    cause       TEXT NOT NULL,
    policy      TEXT NOT NULL,              -- '' where it is every policy's
    body        TEXT NOT NULL,
    since       INTEGER NOT NULL,
    accepted_at INTEGER,                    -- a person has looked; it is kept for as long as what it is about lasts
    UNIQUE (server, kind, cause, policy)
);
CREATE TABLE digest (
    report  TEXT PRIMARY KEY,
    handled INTEGER NOT NULL,
    facts   TEXT
) WITHOUT ROWID;
CREATE TABLE due_time (
    server    TEXT NOT NULL,
    policy    TEXT NOT NULL,
    schedule  TEXT NOT NULL,                -- a change starts from now
    handled   INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    stale     INTEGER NOT NULL DEFAULT 0,   -- told
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;
INSERT INTO "due_time" VALUES('12345','hourly','*/2 * * * * * UTC 0',1795246162000000000,1795246157551079789,0);
INSERT INTO "due_time" VALUES('12346','hourly','*/2 * * * * * UTC 0',1795246162000000000,1795246157551079789,0);
CREATE TABLE event (
    run  INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
INSERT INTO "event" VALUES(1,0,1795246155317014775,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(1,1,1795246155336304083,'{"planned":{"plan":{"at":"2026-11-21T07:29:15.330980872Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":0,"own":0,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":4}}}],"points":[],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO "event" VALUES(1,2,1795246155347167816,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"o0wd0s6l","instance":"main","policy":"hourly","due":"2026-11-21T07:29:15.315Z"},"listed":[]}}}}');
INSERT INTO "event" VALUES(1,3,1795246155350750624,'{"answered":{"step":1,"answer":{"accepted":{"id":801}}}}');
INSERT INTO "event" VALUES(1,4,1795246155415279595,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:15Z","size_mb":4055}}}');
INSERT INTO "event" VALUES(1,5,1795246155419186227,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(2,0,1795246155854958586,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(2,1,1795246155867422084,'{"planned":{"plan":{"at":"2026-11-21T07:29:15.866647354Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":1,"own":1,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":3}}}],"points":[{"id":801,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO "event" VALUES(2,2,1795246155867832340,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"s7pn93n8","instance":"main","policy":"hourly","due":"2026-11-21T07:29:15.851Z"},"listed":[801]}}}}');
INSERT INTO "event" VALUES(2,3,1795246155869182078,'{"answered":{"step":1,"answer":{"accepted":{"id":802}}}}');
INSERT INTO "event" VALUES(2,4,1795246155923628326,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:15Z","size_mb":4063}}}');
INSERT INTO "event" VALUES(2,5,1795246155925591592,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(3,0,1795246156262058061,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(3,1,1795246156284257030,'{"planned":{"plan":{"at":"2026-11-21T07:29:16.281575796Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":801,"created_at":"2026-11-21T07:29:15Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":802,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":801,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(3,2,1795246156284884419,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"8r986262","instance":"main","policy":"hourly","due":"2026-11-21T07:29:16.261Z"},"listed":[802,801]}}}}');
INSERT INTO "event" VALUES(3,3,1795246156286342195,'{"answered":{"step":1,"answer":{"accepted":{"id":803}}}}');
INSERT INTO "event" VALUES(3,4,1795246156340182308,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:16Z","size_mb":4136}}}');
INSERT INTO "event" VALUES(3,5,1795246156342517182,'{"intended":{"step":2,"act":{"delete":{"id":801,"created_at":"2026-11-21T07:29:15Z","cause":"retention"}}}}');
INSERT INTO "event" VALUES(3,6,1795246156344381673,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(3,7,1795246156345762772,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(4,0,1795246156859231942,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(4,1,1795246156865152724,'{"planned":{"plan":{"at":"2026-11-21T07:29:16.864378304Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":0,"own":0,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":4}}}],"points":[],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO "event" VALUES(4,2,1795246156869041282,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"mbjbrc6o","instance":"main","policy":"hourly","due":"2026-11-21T07:29:16.845Z"},"listed":[]}}}}');
INSERT INTO "event" VALUES(4,3,1795246156875019491,'{"answered":{"step":1,"answer":{"accepted":{"id":804}}}}');
INSERT INTO "event" VALUES(4,4,1795246156928967062,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:16Z","size_mb":6790}}}');
INSERT INTO "event" VALUES(4,5,1795246156961842177,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(5,0,1795246158051705832,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(5,1,1795246158063498078,'{"planned":{"plan":{"at":"2026-11-21T07:29:18.061883025Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":802,"created_at":"2026-11-21T07:29:15Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":803,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":802,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(5,2,1795246158071388229,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"xceqw9wg","instance":"main","policy":"hourly","due":"2026-11-21T07:29:18Z"},"listed":[803,802]}}}}');
INSERT INTO "event" VALUES(5,3,1795246158080386944,'{"answered":{"step":1,"answer":{"accepted":{"id":805}}}}');
INSERT INTO "event" VALUES(5,4,1795246158156424346,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:18Z","size_mb":4069}}}');
INSERT INTO "event" VALUES(5,5,1795246158208921906,'{"intended":{"step":2,"act":{"delete":{"id":802,"created_at":"2026-11-21T07:29:15Z","cause":"retention"}}}}');
INSERT INTO "event" VALUES(5,6,1795246158222777978,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(5,7,1795246158241068028,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(6,0,1795246158056832459,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(6,1,1795246158086982762,'{"planned":{"plan":{"at":"2026-11-21T07:29:18.071423629Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":1,"own":1,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":3}}}],"points":[{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO "event" VALUES(6,2,1795246158103393425,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"1yoomcll","instance":"main","policy":"hourly","due":"2026-11-21T07:29:18Z"},"listed":[804]}}}}');
INSERT INTO "event" VALUES(6,3,1795246158111695838,'{"answered":{"step":1,"answer":{"accepted":{"id":806}}}}');
INSERT INTO "event" VALUES(6,4,1795246158211037866,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:18Z","size_mb":6883}}}');
INSERT INTO "event" VALUES(6,5,1795246158271220500,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(7,0,1795246160080070540,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(7,1,1795246160103155021,'{"planned":{"plan":{"at":"2026-11-21T07:29:20.096333943Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":803,"created_at":"2026-11-21T07:29:16Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":805,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":803,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(7,2,1795246160107392387,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"30ttyn4a","instance":"main","policy":"hourly","due":"2026-11-21T07:29:20Z"},"listed":[805,803]}}}}');
INSERT INTO "event" VALUES(7,3,1795246160115971986,'{"answered":{"step":1,"answer":{"accepted":{"id":807}}}}');
INSERT INTO "event" VALUES(7,4,1795246160177062554,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:20Z","size_mb":4126}}}');
INSERT INTO "event" VALUES(7,5,1795246160235845203,'{"intended":{"step":2,"act":{"delete":{"id":803,"created_at":"2026-11-21T07:29:16Z","cause":"retention"}}}}');
INSERT INTO "event" VALUES(7,6,1795246160247661940,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(7,7,1795246160257315317,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(8,0,1795246160086295649,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(8,1,1795246160110352006,'{"planned":{"plan":{"at":"2026-11-21T07:29:20.107428771Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":2}}}],"points":[{"id":806,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(8,2,1795246160114681436,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"72pu692i","instance":"main","policy":"hourly","due":"2026-11-21T07:29:20Z"},"listed":[806,804]}}}}');
INSERT INTO "event" VALUES(8,3,1795246160118813188,'{"answered":{"step":1,"answer":{"accepted":{"id":808}}}}');
INSERT INTO "event" VALUES(8,4,1795246160181939961,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:20Z","size_mb":6916}}}');
INSERT INTO "event" VALUES(8,5,1795246160201199297,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(9,0,1795246162085946125,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(9,1,1795246162136728088,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.134681441Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":805,"created_at":"2026-11-21T07:29:18Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":805,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(9,2,1795246162147053348,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"gnxj8ub8","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22Z"},"listed":[807,805]}}}}');
INSERT INTO "event" VALUES(9,3,1795246162170915114,'{"answered":{"step":1,"answer":{"accepted":{"id":810}}}}');
INSERT INTO "event" VALUES(9,4,1795246162227012644,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:22Z","size_mb":4058}}}');
INSERT INTO "event" VALUES(9,5,1795246162235096018,'{"intended":{"step":2,"act":{"delete":{"id":805,"created_at":"2026-11-21T07:29:18Z","cause":"retention"}}}}');
INSERT INTO "event" VALUES(9,6,1795246162236783219,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(9,7,1795246162242847099,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(10,0,1795246162090923718,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(10,1,1795246162141025014,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.136553195Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":3,"own":3,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":1}}},{"delete":{"id":806,"created_at":"2026-11-21T07:29:18Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":808,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":806,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(10,2,1795246162158830405,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"em80q4xu","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22Z"},"listed":[808,806,804]}}}}');
INSERT INTO "event" VALUES(10,3,1795246162165430465,'{"answered":{"step":1,"answer":{"accepted":{"id":809}}}}');
INSERT INTO "event" VALUES(10,4,1795246162224188664,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:22Z","size_mb":6946}}}');
INSERT INTO "event" VALUES(10,5,1795246162228267564,'{"intended":{"step":2,"act":{"delete":{"id":806,"created_at":"2026-11-21T07:29:18Z","cause":"retention"}}}}');
INSERT INTO "event" VALUES(10,6,1795246162231589056,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(10,7,1795246162234195273,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO "event" VALUES(11,0,1795246162758698274,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(11,1,1795246162799332736,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.790458588Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":3,"own":3,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":1}}},{"delete":{"id":808,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":809,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":808,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(11,2,1795246162802879691,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"dkypya4y","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22.751Z"},"listed":[809,808,804]}}}}');
INSERT INTO "event" VALUES(11,3,1795246162807599695,'{"answered":{"step":1,"answer":{"refused":{"error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last":true}}}}');
INSERT INTO "event" VALUES(11,4,1795246162808608515,'{"failed":{"error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last":true}}');
INSERT INTO "event" VALUES(11,5,1795246162811240969,'{"ended":{"outcome":"failed","error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request."}}');
INSERT INTO "event" VALUES(12,0,1795246163414747913,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(12,1,1795246163422721855,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(12,2,1795246163423174937,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"dhxuhg4g","instance":"main","policy":"hourly","due":"2026-11-21T07:29:23.408Z"},"listed":[810,807]}}}}');
INSERT INTO "event" VALUES(12,3,1795246163427839805,'{"answered":{"step":1,"answer":{"accepted":{"id":811}}}}');
INSERT INTO "event" VALUES(13,0,1795246170000000013,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(13,1,1795246170000000014,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(13,2,1795246170000000015,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(13,3,1795246170000000016,'{"answered":{"step":1,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(14,0,1795246170000000014,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(14,1,1795246170000000015,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(14,2,1795246170000000016,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(14,3,1795246170000000017,'{"answered":{"step":1,"answer":{"refused":{"error":"no","last":true}}}}');
INSERT INTO "event" VALUES(15,0,1795246170000000015,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(15,1,1795246170000000016,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(15,2,1795246170000000017,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(15,3,1795246170000000018,'{"answered":{"step":1,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(15,4,1795246170000000019,'{"seen":"server_stopped"}');
INSERT INTO "event" VALUES(15,5,1795246170000000020,'{"intended":{"step":2,"act":"start_server"}}');
INSERT INTO "event" VALUES(15,6,1795246170000000021,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(15,7,1795246170000000022,'{"seen":"server_running"}');
INSERT INTO "event" VALUES(16,0,1795246170000000016,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(16,1,1795246170000000017,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(16,2,1795246170000000018,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(16,3,1795246170000000019,'{"answered":{"step":1,"answer":{"unknown":{"error":"lost"}}}}');
INSERT INTO "event" VALUES(16,4,1795246170000000020,'{"settled":{"step":1,"found":"not_done"}}');
INSERT INTO "event" VALUES(17,0,1795246170000000017,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(17,1,1795246170000000018,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(17,2,1795246170000000019,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(17,3,1795246170000000020,'{"answered":{"step":1,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(17,4,1795246170000000021,'{"seen":"server_stopped"}');
INSERT INTO "event" VALUES(17,5,1795246170000000022,'{"intended":{"step":2,"act":"start_server"}}');
INSERT INTO "event" VALUES(17,6,1795246170000000023,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO "event" VALUES(18,0,1795246170000000018,'{"began":{"attempt":1,"terms":{"stop_server":true,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO "event" VALUES(18,1,1795246170000000019,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO "event" VALUES(18,2,1795246170000000020,'{"intended":{"step":1,"act":"stop_server"}}');
INSERT INTO "event" VALUES(18,3,1795246170000000021,'torn');
CREATE TABLE evicted (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE hold (
    id        INTEGER PRIMARY KEY,
    server    TEXT,                         -- a whole server
    kind      TEXT,                         -- or a point
    point     TEXT,
    name      TEXT NOT NULL,
    reason    TEXT NOT NULL,
    since     INTEGER NOT NULL,
    until     INTEGER
);
INSERT INTO "hold" VALUES(1,NULL,'snapshot','804','804','audit',1795246157261156080,NULL);
CREATE TABLE incident (
    id        INTEGER PRIMARY KEY,
    server    TEXT NOT NULL,                -- '' where there is none
    policy    TEXT NOT NULL,
    topic     TEXT NOT NULL,
    text      TEXT NOT NULL,
    name      TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
);
INSERT INTO "incident" VALUES(1,'12346','hourly','run','making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.','web-server-02',1795246162811240969,NULL);
CREATE TABLE inventory (
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (server, kind)
) WITHOUT ROWID;
INSERT INTO "inventory" VALUES('12345','snapshot',1795246155319100782,1795246163480855352);
INSERT INTO "inventory" VALUES('12346','snapshot',1795246156863073697,1795246162764947657);
CREATE TABLE lease (
    server TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE notice (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL,
    incident INTEGER REFERENCES incident (id),
    closed   INTEGER NOT NULL DEFAULT 0     -- every report has told it, or need not
);
INSERT INTO "notice" VALUES(1,1795246155419186227,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 801","last_good":{"id":801,"created_at":"2026-11-21T07:29:15Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(2,1795246155925591592,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 802","last_good":{"id":802,"created_at":"2026-11-21T07:29:15Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(3,1795246156345762772,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 803","last_good":{"id":803,"created_at":"2026-11-21T07:29:16Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(4,1795246156961842177,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 804","last_good":{"id":804,"created_at":"2026-11-21T07:29:16Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(5,1795246158241068028,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 805","last_good":{"id":805,"created_at":"2026-11-21T07:29:18Z"},"next":"2026-11-21T07:29:20Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(6,1795246158271220500,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 806","last_good":{"id":806,"created_at":"2026-11-21T07:29:18Z"},"next":"2026-11-21T07:29:20Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(7,1795246160201199297,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 808","last_good":{"id":808,"created_at":"2026-11-21T07:29:20Z"},"next":"2026-11-21T07:29:22Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(8,1795246160257315317,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 807","last_good":{"id":807,"created_at":"2026-11-21T07:29:20Z"},"next":"2026-11-21T07:29:22Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(9,1795246162234195273,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 809","last_good":{"id":809,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T07:29:24Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO "notice" VALUES(10,1795246162242847099,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 810","last_good":{"id":810,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T07:29:24Z","since":null,"lost":[],"reports":[]}',NULL,0);
INSERT INTO "notice" VALUES(11,1795246162811240969,'{"class":"failure","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last_good":{"id":809,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',1,1);
CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY,
    message_id TEXT NOT NULL UNIQUE,
    report     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    sender     TEXT NOT NULL,
    recipients TEXT NOT NULL,
    bytes      BLOB NOT NULL,
    first_at   INTEGER NOT NULL,
    next_at    INTEGER NOT NULL,
    attempts   INTEGER NOT NULL DEFAULT 0,
    sent_at    INTEGER,
    failed_at  INTEGER,
    error      TEXT
);
INSERT INTO "outbox" VALUES(1,'<lastgood.oncall.1795246162811240969.11@example.com>','oncall','[lastgood] FAILED hourly on web-server-02: making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.','backup@example.com','["oncall@example.com"]',X'446174653A205361742C203231204E6F7620323032362030373A32393A3232202B303030300D0A46726F6D3A206C617374676F6F64203C6261636B7570406578616D706C652E636F6D3E0D0A546F3A206F6E63616C6C406578616D706C652E636F6D0D0A5375626A6563743A205B6C617374676F6F645D204641494C454420686F75726C79206F6E207765622D7365727665722D30323A206D616B696E67206120736E617073686F74206F660D0A207365727665722031323334362028504F5354202F6170692F76312F736E617073686F74732F293A207468652070726F766964657220726566757365642028343030204261640D0A2052657175657374293A2042616420726571756573742E0D0A4D6573736167652D49443A203C6C617374676F6F642E6F6E63616C6C2E313739353234363136323831313234303936392E3131406578616D706C652E636F6D3E0D0A4175746F2D5375626D69747465643A206175746F2D67656E6572617465640D0A582D4175746F2D526573706F6E73652D53757070726573733A20416C6C0D0A4D494D452D56657273696F6E3A20312E300D0A436F6E74656E742D547970653A206D756C7469706172742F616C7465726E61746976653B0D0A20626F756E646172793D223D5F6C617374676F6F646F6E63616C6C3137393532343631363238313132343039363931316578616D70220D0A0D0A2D2D3D5F6C617374676F6F646F6E63616C6C3137393532343631363238313132343039363931316578616D700D0A436F6E74656E742D547970653A20746578742F706C61696E3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A20376269740D0A0D0A686F75726C79206F6E207765622D7365727665722D3032206661696C65640D0A3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D3D0D0A0D0A20203E206D616B696E67206120736E617073686F74206F66207365727665722031323334362028504F5354202F6170692F76312F736E617073686F74732F293A207468650D0A2020202070726F766964657220726566757365642028343030204261642052657175657374293A2042616420726571756573742E0D0A0D0A5365727665723A207765622D7365727665722D303220286964203132333436290D0A506F6C6963793A20686F75726C792028736E617073686F7473290D0A5768656E3A20323032362D31312D32312030373A32392055544320283020732061676F290D0A4C61737420676F6F643A20323032362D31312D32312030373A32392055544320283020732061676F292C20736E617073686F74203830390D0A4E6578743A206E6F7468696E67206265666F726520746865206E657874206475652074696D652C20323032362D31312D32312030383A3030205554432028696E203330206D696E290D0A0D0A546F206C6F6F6B20636C6F7365723A0D0A20206C617374676F6F6420686973746F7279202D2D736572766572207765622D7365727665722D30320D0A0D0A2D2D0D0A5772697474656E206279206C617374676F6F642C20696E7374616E6365206D61696E2C20617420323032362D31312D32312030373A3239205554432E2054696D6573206172650D0A696E205554432E0D0A0D0A2D2D3D5F6C617374676F6F646F6E63616C6C3137393532343631363238313132343039363931316578616D700D0A436F6E74656E742D547970653A20746578742F68746D6C3B20636861727365743D7574662D380D0A436F6E74656E742D5472616E736665722D456E636F64696E673A2071756F7465642D7072696E7461626C650D0A0D0A3C21646F63747970652068746D6C3E0D0A3C68746D6C206C616E673D334422656E223E0D0A3C686561643E0D0A3C6D65746120636861727365743D3344227574662D38223E0D0A3C6D657461206E616D653D33442276696577706F72742220636F6E74656E743D33442277696474683D33446465766963652D77696474682C20696E697469616C2D7363616C653D334431223E0D0A3C6D657461206E616D653D334422636F6C6F722D736368656D652220636F6E74656E743D3344226C69676874206461726B223E0D0A3C6D657461206E616D653D334422737570706F727465642D636F6C6F722D736368656D65732220636F6E74656E743D3344226C69676874206461726B223E0D0A3C7469746C653E5B6C617374676F6F645D204641494C454420686F75726C79206F6E207765622D7365727665722D30323A206D616B696E67206120736E617073686F74206F6620736572763D0D0A65722031323334362028504F53542026237832663B61706926237832663B763126237832663B736E617073686F747326237832663B293A207468652070726F7669646572207265667573653D0D0A642028343030204261642052657175657374293A2042616420726571756573742E3C2F7469746C653E0D0A3C7374796C653E0D0A406D656469612028707265666572732D636F6C6F722D736368656D653A206461726B29207B0D0A20202E70616765207B206261636B67726F756E643A20233131313431382021696D706F7274616E743B207D0D0A20202E63617264207B206261636B67726F756E643A20233162323032362021696D706F7274616E743B20636F6C6F723A20236536653965642021696D706F7274616E743B20626F726465723D0D0A2D636F6C6F723A20233332336134332021696D706F7274616E743B207D0D0A20202E736F6674207B20636F6C6F723A20236134616462382021696D706F7274616E743B207D0D0A20202E6C696E65207B20626F726465722D636F6C6F723A20233332336134332021696D706F7274616E743B207D0D0A20202E71756F7465207B206261636B67726F756E643A20233236326333342021696D706F7274616E743B20636F6C6F723A20236536653965642021696D706F7274616E743B207D0D0A20202E66726565207B206261636B67726F756E643A20233162323032362021696D706F7274616E743B20626F726465722D636F6C6F723A20233662373638342021696D706F7274616E743B3D0D0A207D0D0A20202E626164207B20636F6C6F723A20236666386138302021696D706F7274616E743B207D0D0A20202E706C61696E207B20636F6C6F723A20236134616462382021696D706F7274616E743B207D0D0A20202E7761726E207B20636F6C6F723A20236666636136622021696D706F7274616E743B207D0D0A20202E676F6F64207B20636F6C6F723A20233766643639632021696D706F7274616E743B207D0D0A7D0D0A3C2F7374796C653E0D0A3C2F686561643E0D0A3C626F647920636C6173733D3344227061676522207374796C653D3344226D617267696E3A303B70616464696E673A303B6261636B67726F756E643A236632663466363B2D7765626B69743D0D0A2D746578742D73697A652D61646A7573743A31303025223E0D0A3C646976207374796C653D334422646973706C61793A6E6F6E653B6D61782D6865696768743A303B6F766572666C6F773A68696464656E223E4C61737420676F6F643A20323032362D31313D0D0A2D32312030373A32392055544320283020732061676F293C2F6469763E0D0A3C646976207374796C653D3344226D61782D77696474683A36303070783B6D617267696E3A30206175746F3B70616464696E673A31327078223E0D0A3C64697620636C6173733D3344226361726422207374796C653D3344226261636B67726F756E643A236666666666663B636F6C6F723A233163323132363B626F726465723A31707820736F3D0D0A6C696420236439646565333B626F726465722D7261646975733A3870783B6F766572666C6F773A68696464656E3B666F6E742D66616D696C793A2D6170706C652D73797374656D2C2753653D0D0A676F65205549272C526F626F746F2C48656C7665746963612C417269616C2C73616E732D73657269663B666F6E742D73697A653A313670783B6C696E652D6865696768743A312E3435223E0D0A3C646976207374796C653D3344226261636B67726F756E643A236233323631653B636F6C6F723A236666666666663B70616464696E673A3134707820313670783B666F6E742D73697A653A3D0D0A313970783B666F6E742D7765696768743A3630303B6C696E652D6865696768743A312E333B6F766572666C6F772D777261703A616E797768657265223E686F75726C79206F6E207765622D3D0D0A7365727665722D3032206661696C65643C2F6469763E0D0A3C646976207374796C653D33442270616464696E673A327078203136707820313470783B6F766572666C6F772D777261703A616E797768657265223E0D0A3C7020636C6173733D33442271756F746522207374796C653D3344226D617267696E3A3134707820303B70616464696E673A3130707820313270783B6261636B67726F756E643A236634663D0D0A3165653B626F726465722D6C6566743A34707820736F6C696420236233323631653B666F6E742D66616D696C793A75692D6D6F6E6F73706163652C4D656E6C6F2C436F6E736F6C61732C273D0D0A44656A6156752053616E73204D6F6E6F272C6D6F6E6F73706163653B666F6E742D73697A653A31347078223E6D616B696E67206120736E617073686F74206F6620736572766572203132333D0D0A34362028504F53542026237832663B61706926237832663B763126237832663B736E617073686F747326237832663B293A207468652070726F7669646572207265667573656420283430303D0D0A204261642052657175657374293A2042616420726571756573742E3C2F703E0D0A3C7461626C6520726F6C653D33442270726573656E746174696F6E222063656C6C70616464696E673D33442230222063656C6C73706163696E673D3344223022207374796C653D334422773D0D0A696474683A313030253B6D617267696E3A3132707820303B626F726465722D636F6C6C617073653A636F6C6C61707365223E0D0A3C74723E3C746420636C6173733D334422736F667422207374796C653D33442270616464696E673A35707820313270782033707820303B766572746963616C2D616C69676E3A746F703B773D0D0A696474683A393270783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E5365727665723C2F74643E3C7464207374796C653D33442270616464696E673A3370783D0D0A20303B766572746963616C2D616C69676E3A746F703B6F766572666C6F772D777261703A616E797768657265223E7765622D7365727665722D303220286964203132333436293C2F74643E3D0D0A3C2F74723E0D0A3C74723E3C746420636C6173733D334422736F667422207374796C653D33442270616464696E673A35707820313270782033707820303B766572746963616C2D616C69676E3A746F703B773D0D0A696474683A393270783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E506F6C6963793C2F74643E3C7464207374796C653D33442270616464696E673A3370783D0D0A20303B766572746963616C2D616C69676E3A746F703B6F766572666C6F772D777261703A616E797768657265223E686F75726C792028736E617073686F7473293C2F74643E3C2F74723E0D0A3C74723E3C746420636C6173733D334422736F667422207374796C653D33442270616464696E673A35707820313270782033707820303B766572746963616C2D616C69676E3A746F703B773D0D0A696474683A393270783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E5768656E3C2F74643E3C7464207374796C653D33442270616464696E673A33707820303D0D0A3B766572746963616C2D616C69676E3A746F703B6F766572666C6F772D777261703A616E797768657265223E323032362D31312D32312030373A32392055544320283020732061676F293C3D0D0A2F74643E3C2F74723E0D0A3C74723E3C746420636C6173733D334422736F667422207374796C653D33442270616464696E673A35707820313270782033707820303B766572746963616C2D616C69676E3A746F703B773D0D0A696474683A393270783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E4C61737420676F6F643C2F74643E3C7464207374796C653D33442270616464696E673A3D0D0A33707820303B766572746963616C2D616C69676E3A746F703B6F766572666C6F772D777261703A616E7977686572653B666F6E742D7765696768743A363030223E323032362D31312D32313D0D0A2030373A32392055544320283020732061676F292C20736E617073686F74203830393C2F74643E3C2F74723E0D0A3C74723E3C746420636C6173733D334422736F667422207374796C653D33442270616464696E673A35707820313270782033707820303B766572746963616C2D616C69676E3A746F703B773D0D0A696474683A393270783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E4E6578743C2F74643E3C7464207374796C653D33442270616464696E673A33707820303D0D0A3B766572746963616C2D616C69676E3A746F703B6F766572666C6F772D777261703A616E797768657265223E6E6F7468696E67206265666F726520746865206E657874206475652074696D3D0D0A652C20323032362D31312D32312030383A3030205554432028696E203330206D696E293C2F74643E3C2F74723E0D0A3C2F7461626C653E0D0A3C7020636C6173733D334422736F667422207374796C653D3344226D617267696E3A313870782030203470783B636F6C6F723A233562363637333B666F6E742D73697A653A31347078223E3D0D0A546F206C6F6F6B20636C6F7365723A3C2F703E0D0A3C7020636C6173733D33442271756F746522207374796C653D3344226D617267696E3A34707820303B70616464696E673A38707820313270783B6261636B67726F756E643A2365656631663D0D0A343B626F726465722D7261646975733A3470783B666F6E742D66616D696C793A75692D6D6F6E6F73706163652C4D656E6C6F2C436F6E736F6C61732C2744656A6156752053616E73204D6F3D0D0A6E6F272C6D6F6E6F73706163653B666F6E742D73697A653A31337078223E6C617374676F6F6420686973746F7279202D2D736572766572207765622D7365727665722D30323C2F703E0D0A3C2F6469763E0D0A3C2F6469763E0D0A3C7020636C6173733D334422736F667422207374796C653D3344226D617267696E3A31307078203470783B636F6C6F723A233562363637333B666F6E742D66616D696C793A2D6170706C653D0D0A2D73797374656D2C275365676F65205549272C526F626F746F2C48656C7665746963612C417269616C2C73616E732D73657269663B666F6E742D73697A653A313370783B6C696E652D68653D0D0A696768743A312E34223E5772697474656E206279206C617374676F6F642C20696E7374616E6365206D61696E2C20617420323032362D31312D32312030373A3239205554432E2054696D653D0D0A732061726520696E205554432E3C2F703E0D0A3C2F6469763E0D0A3C2F626F64793E0D0A3C2F68746D6C3E0D0A2D2D3D5F6C617374676F6F646F6E63616C6C3137393532343631363238313132343039363931316578616D702D2D0D0A',1795246162835002021,1795246167835002021,1,NULL,NULL,'mail not delivered through token/nowhere: writing the file failed: 20261121T072922Z-lastgood-failed-hourly-on-web-server-02-making-a-snapshot-of-1.eml: Not a directory (os error 20)');
CREATE TABLE point (
    server     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    id         TEXT NOT NULL,
    created_at INTEGER,                     -- NULL until a list has shown it
    first_text TEXT,                        -- name and description as first listed
    origin     TEXT NOT NULL,
    policy     TEXT,                        -- whose it is, where it is ours
    status     TEXT,
    size_mb    INTEGER,
    automatic  INTEGER NOT NULL DEFAULT 0,
    deleting   INTEGER,                     -- when the provider accepted its delete
    seen_at    INTEGER,                     -- when a list last showed it
    made_at    INTEGER,                     -- when the provider accepted our create
    token      TEXT, asked_gone INTEGER,                        -- the mark that we gave it
    PRIMARY KEY (server, kind, id)
) WITHOUT ROWID;
INSERT INTO "point" VALUES('12345','snapshot','807',1795246160000000000,'{"name":"lg-30ttyn4a-hourly-20261121T072920Z","description":"lg-30ttyn4a main hourly 2026-11-21T07:29:20Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',4126,0,NULL,1795246163480855352,1795246160115971986,'30ttyn4a',NULL);
INSERT INTO "point" VALUES('12345','snapshot','810',1795246162000000000,'{"name":"lg-gnxj8ub8-hourly-20261121T072922Z","description":"lg-gnxj8ub8 main hourly 2026-11-21T07:29:22Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',4058,0,NULL,1795246163480855352,1795246162170915114,'gnxj8ub8',NULL);
INSERT INTO "point" VALUES('12345','snapshot','811',1795246163000000000,'{"name":"lg-dhxuhg4g-hourly-20261121T072923408Z","description":"lg-dhxuhg4g main hourly 2026-11-21T07:29:23.408Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','in_progress',NULL,0,NULL,1795246163480855352,1795246163427839805,'dhxuhg4g',NULL);
INSERT INTO "point" VALUES('12346','snapshot','804',1795246156000000000,'{"name":"lg-mbjbrc6o-hourly-20261121T072916845Z","description":"lg-mbjbrc6o main hourly 2026-11-21T07:29:16.845Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6790,0,NULL,1795246162764947657,1795246156875019491,'mbjbrc6o',NULL);
INSERT INTO "point" VALUES('12346','snapshot','808',1795246160000000000,'{"name":"lg-72pu692i-hourly-20261121T072920Z","description":"lg-72pu692i main hourly 2026-11-21T07:29:20Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6916,0,NULL,1795246162764947657,1795246160118813188,'72pu692i',NULL);
INSERT INTO "point" VALUES('12346','snapshot','809',1795246162000000000,'{"name":"lg-em80q4xu-hourly-20261121T072922Z","description":"lg-em80q4xu main hourly 2026-11-21T07:29:22Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6946,0,NULL,1795246162764947657,1795246162165430465,'em80q4xu',NULL);
CREATE TABLE retention (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    words  TEXT NOT NULL,
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;
CREATE TABLE run (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    server      TEXT NOT NULL,              -- the provider's key
    server_name TEXT NOT NULL,
    policy      TEXT NOT NULL,
    kind        TEXT NOT NULL,
    due         INTEGER,                    -- NULL: by hand
    opened_at   INTEGER NOT NULL,
    ended_at    INTEGER,
    outcome     TEXT,
    UNIQUE (server, policy, due)
);
INSERT INTO "run" VALUES(1,'12345','web-server-01','hourly','snapshot',NULL,1795246155314828578,1795246155419186227,'succeeded');
INSERT INTO "run" VALUES(2,'12345','web-server-01','hourly','snapshot',NULL,1795246155851442417,1795246155925591592,'succeeded');
INSERT INTO "run" VALUES(3,'12345','web-server-01','hourly','snapshot',NULL,1795246156260993463,1795246156345762772,'succeeded');
INSERT INTO "run" VALUES(4,'12346','web-server-02','hourly','snapshot',NULL,1795246156845293769,1795246156961842177,'succeeded');
INSERT INTO "run" VALUES(5,'12345','web-server-01','hourly','snapshot',1795246158000000000,1795246158036935820,1795246158241068028,'succeeded');
INSERT INTO "run" VALUES(6,'12346','web-server-02','hourly','snapshot',1795246158000000000,1795246158036935820,1795246158271220500,'succeeded');
INSERT INTO "run" VALUES(7,'12345','web-server-01','hourly','snapshot',1795246160000000000,1795246160064974495,1795246160257315317,'succeeded');
INSERT INTO "run" VALUES(8,'12346','web-server-02','hourly','snapshot',1795246160000000000,1795246160064974495,1795246160201199297,'succeeded');
INSERT INTO "run" VALUES(9,'12345','web-server-01','hourly','snapshot',1795246162000000000,1795246162078678657,1795246162242847099,'succeeded');
INSERT INTO "run" VALUES(10,'12346','web-server-02','hourly','snapshot',1795246162000000000,1795246162078678657,1795246162234195273,'succeeded');
INSERT INTO "run" VALUES(11,'12346','web-server-02','hourly','snapshot',NULL,1795246162751472555,1795246162811240969,'failed');
INSERT INTO "run" VALUES(12,'12345','web-server-01','hourly','snapshot',NULL,1795246163407630294,NULL,NULL);
INSERT INTO "run" VALUES(13,'12347','web-server-03','cold','snapshot',NULL,1795246170000000013,NULL,NULL);
INSERT INTO "run" VALUES(14,'12348','web-server-04','cold','snapshot',NULL,1795246170000000014,NULL,NULL);
INSERT INTO "run" VALUES(15,'12349','web-server-05','cold','snapshot',NULL,1795246170000000015,NULL,NULL);
INSERT INTO "run" VALUES(16,'12350','web-server-06','cold','snapshot',NULL,1795246170000000016,NULL,NULL);
INSERT INTO "run" VALUES(17,'12351','web-server-07','cold','snapshot',NULL,1795246170000000017,NULL,NULL);
INSERT INTO "run" VALUES(18,'12352','web-server-08','cold','snapshot',NULL,1795246170000000018,NULL,NULL);
CREATE TABLE server (
    id      TEXT PRIMARY KEY,
    body    TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    gone_at INTEGER
) WITHOUT ROWID;
INSERT INTO "server" VALUES('12345','{"reference":{"id":12345,"name":"web-server-01"},"keys":["12345","web-server-01"],"status":"active"}',1795246163382810543,NULL);
INSERT INTO "server" VALUES('12346','{"reference":{"id":12346,"name":"web-server-02"},"keys":["12346","web-server-02"],"status":"active"}',1795246163382810543,NULL);
CREATE TABLE token (
    token    TEXT PRIMARY KEY,
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    policy   TEXT NOT NULL,
    run      INTEGER NOT NULL,
    sent_at  INTEGER NOT NULL,
    state    TEXT NOT NULL                  -- open, made, not_made, undecided
) WITHOUT ROWID;
INSERT INTO "token" VALUES('1yoomcll','12346','snapshot','hourly',6,1795246158103393425,'made');
INSERT INTO "token" VALUES('30ttyn4a','12345','snapshot','hourly',7,1795246160107392387,'made');
INSERT INTO "token" VALUES('72pu692i','12346','snapshot','hourly',8,1795246160114681436,'made');
INSERT INTO "token" VALUES('8r986262','12345','snapshot','hourly',3,1795246156284884419,'made');
INSERT INTO "token" VALUES('dhxuhg4g','12345','snapshot','hourly',12,1795246163423174937,'made');
INSERT INTO "token" VALUES('dkypya4y','12346','snapshot','hourly',11,1795246162802879691,'not_made');
INSERT INTO "token" VALUES('em80q4xu','12346','snapshot','hourly',10,1795246162158830405,'made');
INSERT INTO "token" VALUES('gnxj8ub8','12345','snapshot','hourly',9,1795246162147053348,'made');
INSERT INTO "token" VALUES('mbjbrc6o','12346','snapshot','hourly',4,1795246156869041282,'made');
INSERT INTO "token" VALUES('o0wd0s6l','12345','snapshot','hourly',1,1795246155347167816,'made');
INSERT INTO "token" VALUES('s7pn93n8','12345','snapshot','hourly',2,1795246155867832340,'made');
INSERT INTO "token" VALUES('xceqw9wg','12345','snapshot','hourly',5,1795246158071388229,'made');
CREATE TABLE told (
    notice   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    report   TEXT NOT NULL,
    incident INTEGER,
    class    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (notice, report)
) WITHOUT ROWID;
INSERT INTO "told" VALUES(11,'oncall',1,'failure',1795246162835002021);
CREATE INDEX run_open ON run (ended_at) WHERE ended_at IS NULL;
CREATE INDEX run_of_policy ON run (server, policy, opened_at);
CREATE INDEX token_of_server ON token (server, kind);
CREATE UNIQUE INDEX incident_open ON incident (server, policy, topic) WHERE closed_at IS NULL;
CREATE INDEX notice_waiting ON notice (closed) WHERE closed = 0;
CREATE INDEX told_incident ON told (incident, report, class);
CREATE INDEX outbox_waiting ON outbox (next_at) WHERE sent_at IS NULL AND failed_at IS NULL;
CREATE INDEX run_opened ON run (opened_at);
CREATE INDEX run_of_server ON run (server, opened_at);
CREATE INDEX run_succeeded ON run (server, policy) WHERE outcome = 'succeeded';
CREATE INDEX run_ended ON run (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX token_sent ON token (sent_at);
CREATE INDEX token_open ON token (server, kind) WHERE state IN ('open', 'undecided');
CREATE INDEX notice_closed ON notice (at) WHERE closed = 1;
CREATE INDEX notice_open ON notice (at) WHERE closed = 0;
CREATE INDEX notice_of_incident ON notice (incident) WHERE incident IS NOT NULL;
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX outbox_done ON outbox (coalesce(sent_at, failed_at)) WHERE coalesce(sent_at, failed_at) IS NOT NULL;
CREATE INDEX outbox_failed ON outbox (failed_at) WHERE failed_at IS NOT NULL;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('run',18);
COMMIT;
