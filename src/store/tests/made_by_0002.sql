-- A state that a lastgood with migrations 0001 and 0002 has written, as SQL text: never changed. What the text of 0001
-- holds, a brake, and what a policy kept.
PRAGMA user_version = 2;
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
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
INSERT INTO run VALUES(1,'12345','web-server-01','hourly','snapshot',NULL,1795246155314828578,1795246155419186227,'succeeded');
INSERT INTO run VALUES(2,'12345','web-server-01','hourly','snapshot',NULL,1795246155851442417,1795246155925591592,'succeeded');
INSERT INTO run VALUES(3,'12345','web-server-01','hourly','snapshot',NULL,1795246156260993463,1795246156345762772,'succeeded');
INSERT INTO run VALUES(4,'12346','web-server-02','hourly','snapshot',NULL,1795246156845293769,1795246156961842177,'succeeded');
INSERT INTO run VALUES(5,'12345','web-server-01','hourly','snapshot',1795246158000000000,1795246158036935820,1795246158241068028,'succeeded');
INSERT INTO run VALUES(6,'12346','web-server-02','hourly','snapshot',1795246158000000000,1795246158036935820,1795246158271220500,'succeeded');
INSERT INTO run VALUES(7,'12345','web-server-01','hourly','snapshot',1795246160000000000,1795246160064974495,1795246160257315317,'succeeded');
INSERT INTO run VALUES(8,'12346','web-server-02','hourly','snapshot',1795246160000000000,1795246160064974495,1795246160201199297,'succeeded');
INSERT INTO run VALUES(9,'12345','web-server-01','hourly','snapshot',1795246162000000000,1795246162078678657,1795246162242847099,'succeeded');
INSERT INTO run VALUES(10,'12346','web-server-02','hourly','snapshot',1795246162000000000,1795246162078678657,1795246162234195273,'succeeded');
INSERT INTO run VALUES(11,'12346','web-server-02','hourly','snapshot',NULL,1795246162751472555,1795246162811240969,'failed');
INSERT INTO run VALUES(12,'12345','web-server-01','hourly','snapshot',NULL,1795246163407630294,NULL,NULL);
CREATE TABLE event (
    run  INTEGER NOT NULL REFERENCES run (id) ON DELETE CASCADE,
    seq  INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (run, seq)
) WITHOUT ROWID;
INSERT INTO event VALUES(1,0,1795246155317014775,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(1,1,1795246155336304083,'{"planned":{"plan":{"at":"2026-11-21T07:29:15.330980872Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":0,"own":0,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":4}}}],"points":[],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO event VALUES(1,2,1795246155347167816,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"o0wd0s6l","instance":"main","policy":"hourly","due":"2026-11-21T07:29:15.315Z"},"listed":[]}}}}');
INSERT INTO event VALUES(1,3,1795246155350750624,'{"answered":{"step":1,"answer":{"accepted":{"id":801}}}}');
INSERT INTO event VALUES(1,4,1795246155415279595,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:15Z","size_mb":4055}}}');
INSERT INTO event VALUES(1,5,1795246155419186227,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(2,0,1795246155854958586,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(2,1,1795246155867422084,'{"planned":{"plan":{"at":"2026-11-21T07:29:15.866647354Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":1,"own":1,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":3}}}],"points":[{"id":801,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO event VALUES(2,2,1795246155867832340,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"s7pn93n8","instance":"main","policy":"hourly","due":"2026-11-21T07:29:15.851Z"},"listed":[801]}}}}');
INSERT INTO event VALUES(2,3,1795246155869182078,'{"answered":{"step":1,"answer":{"accepted":{"id":802}}}}');
INSERT INTO event VALUES(2,4,1795246155923628326,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:15Z","size_mb":4063}}}');
INSERT INTO event VALUES(2,5,1795246155925591592,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(3,0,1795246156262058061,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(3,1,1795246156284257030,'{"planned":{"plan":{"at":"2026-11-21T07:29:16.281575796Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":801,"created_at":"2026-11-21T07:29:15Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":802,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":801,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(3,2,1795246156284884419,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"8r986262","instance":"main","policy":"hourly","due":"2026-11-21T07:29:16.261Z"},"listed":[802,801]}}}}');
INSERT INTO event VALUES(3,3,1795246156286342195,'{"answered":{"step":1,"answer":{"accepted":{"id":803}}}}');
INSERT INTO event VALUES(3,4,1795246156340182308,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:16Z","size_mb":4136}}}');
INSERT INTO event VALUES(3,5,1795246156342517182,'{"intended":{"step":2,"act":{"delete":{"id":801,"created_at":"2026-11-21T07:29:15Z","cause":"retention"}}}}');
INSERT INTO event VALUES(3,6,1795246156344381673,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO event VALUES(3,7,1795246156345762772,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(4,0,1795246156859231942,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(4,1,1795246156865152724,'{"planned":{"plan":{"at":"2026-11-21T07:29:16.864378304Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":0,"own":0,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":4}}}],"points":[],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO event VALUES(4,2,1795246156869041282,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"mbjbrc6o","instance":"main","policy":"hourly","due":"2026-11-21T07:29:16.845Z"},"listed":[]}}}}');
INSERT INTO event VALUES(4,3,1795246156875019491,'{"answered":{"step":1,"answer":{"accepted":{"id":804}}}}');
INSERT INTO event VALUES(4,4,1795246156928967062,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:16Z","size_mb":6790}}}');
INSERT INTO event VALUES(4,5,1795246156961842177,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(5,0,1795246158051705832,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(5,1,1795246158063498078,'{"planned":{"plan":{"at":"2026-11-21T07:29:18.061883025Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":802,"created_at":"2026-11-21T07:29:15Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":803,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":802,"status":"completed","created_at":"2026-11-21T07:29:15Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(5,2,1795246158071388229,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"xceqw9wg","instance":"main","policy":"hourly","due":"2026-11-21T07:29:18Z"},"listed":[803,802]}}}}');
INSERT INTO event VALUES(5,3,1795246158080386944,'{"answered":{"step":1,"answer":{"accepted":{"id":805}}}}');
INSERT INTO event VALUES(5,4,1795246158156424346,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:18Z","size_mb":4069}}}');
INSERT INTO event VALUES(5,5,1795246158208921906,'{"intended":{"step":2,"act":{"delete":{"id":802,"created_at":"2026-11-21T07:29:15Z","cause":"retention"}}}}');
INSERT INTO event VALUES(5,6,1795246158222777978,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO event VALUES(5,7,1795246158241068028,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(6,0,1795246158056832459,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(6,1,1795246158086982762,'{"planned":{"plan":{"at":"2026-11-21T07:29:18.071423629Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":1,"own":1,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":3}}}],"points":[{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":1}}}');
INSERT INTO event VALUES(6,2,1795246158103393425,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"1yoomcll","instance":"main","policy":"hourly","due":"2026-11-21T07:29:18Z"},"listed":[804]}}}}');
INSERT INTO event VALUES(6,3,1795246158111695838,'{"answered":{"step":1,"answer":{"accepted":{"id":806}}}}');
INSERT INTO event VALUES(6,4,1795246158211037866,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:18Z","size_mb":6883}}}');
INSERT INTO event VALUES(6,5,1795246158271220500,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(7,0,1795246160080070540,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(7,1,1795246160103155021,'{"planned":{"plan":{"at":"2026-11-21T07:29:20.096333943Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":803,"created_at":"2026-11-21T07:29:16Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":805,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":803,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(7,2,1795246160107392387,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"30ttyn4a","instance":"main","policy":"hourly","due":"2026-11-21T07:29:20Z"},"listed":[805,803]}}}}');
INSERT INTO event VALUES(7,3,1795246160115971986,'{"answered":{"step":1,"answer":{"accepted":{"id":807}}}}');
INSERT INTO event VALUES(7,4,1795246160177062554,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:20Z","size_mb":4126}}}');
INSERT INTO event VALUES(7,5,1795246160235845203,'{"intended":{"step":2,"act":{"delete":{"id":803,"created_at":"2026-11-21T07:29:16Z","cause":"retention"}}}}');
INSERT INTO event VALUES(7,6,1795246160247661940,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO event VALUES(7,7,1795246160257315317,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(8,0,1795246160086295649,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(8,1,1795246160110352006,'{"planned":{"plan":{"at":"2026-11-21T07:29:20.107428771Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":2}}}],"points":[{"id":806,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(8,2,1795246160114681436,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"72pu692i","instance":"main","policy":"hourly","due":"2026-11-21T07:29:20Z"},"listed":[806,804]}}}}');
INSERT INTO event VALUES(8,3,1795246160118813188,'{"answered":{"step":1,"answer":{"accepted":{"id":808}}}}');
INSERT INTO event VALUES(8,4,1795246160181939961,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:20Z","size_mb":6916}}}');
INSERT INTO event VALUES(8,5,1795246160201199297,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(9,0,1795246162085946125,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(9,1,1795246162136728088,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.134681441Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":805,"created_at":"2026-11-21T07:29:18Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":805,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(9,2,1795246162147053348,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"gnxj8ub8","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22Z"},"listed":[807,805]}}}}');
INSERT INTO event VALUES(9,3,1795246162170915114,'{"answered":{"step":1,"answer":{"accepted":{"id":810}}}}');
INSERT INTO event VALUES(9,4,1795246162227012644,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:22Z","size_mb":4058}}}');
INSERT INTO event VALUES(9,5,1795246162235096018,'{"intended":{"step":2,"act":{"delete":{"id":805,"created_at":"2026-11-21T07:29:18Z","cause":"retention"}}}}');
INSERT INTO event VALUES(9,6,1795246162236783219,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO event VALUES(9,7,1795246162242847099,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(10,0,1795246162090923718,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(10,1,1795246162141025014,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.136553195Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":3,"own":3,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":1}}},{"delete":{"id":806,"created_at":"2026-11-21T07:29:18Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":808,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":806,"status":"completed","created_at":"2026-11-21T07:29:18Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(10,2,1795246162158830405,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"em80q4xu","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22Z"},"listed":[808,806,804]}}}}');
INSERT INTO event VALUES(10,3,1795246162165430465,'{"answered":{"step":1,"answer":{"accepted":{"id":809}}}}');
INSERT INTO event VALUES(10,4,1795246162224188664,'{"seen":{"completed":{"created_at":"2026-11-21T07:29:22Z","size_mb":6946}}}');
INSERT INTO event VALUES(10,5,1795246162228267564,'{"intended":{"step":2,"act":{"delete":{"id":806,"created_at":"2026-11-21T07:29:18Z","cause":"retention"}}}}');
INSERT INTO event VALUES(10,6,1795246162231589056,'{"answered":{"step":2,"answer":{"accepted":{"id":null}}}}');
INSERT INTO event VALUES(10,7,1795246162234195273,'{"ended":{"outcome":"succeeded","error":null}}');
INSERT INTO event VALUES(11,0,1795246162758698274,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(11,1,1795246162799332736,'{"planned":{"plan":{"at":"2026-11-21T07:29:22.790458588Z","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":3,"own":3,"foreign":0,"held":1},"actions":[{"create":{"new":{"free":1}}},{"delete":{"id":808,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":809,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":808,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]},{"id":804,"status":"completed","created_at":"2026-11-21T07:29:16Z","own":true,"keep":true,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}},{"guard":{"held":"audit"}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(11,2,1795246162802879691,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"dkypya4y","instance":"main","policy":"hourly","due":"2026-11-21T07:29:22.751Z"},"listed":[809,808,804]}}}}');
INSERT INTO event VALUES(11,3,1795246162807599695,'{"answered":{"step":1,"answer":{"refused":{"error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last":true}}}}');
INSERT INTO event VALUES(11,4,1795246162808608515,'{"failed":{"error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last":true}}');
INSERT INTO event VALUES(11,5,1795246162811240969,'{"ended":{"outcome":"failed","error":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request."}}');
INSERT INTO event VALUES(12,0,1795246163414747913,'{"began":{"attempt":1,"terms":{"stop_server":false,"stuck_after_seconds":7200,"retries":0,"retry_after_seconds":900}}}');
INSERT INTO event VALUES(12,1,1795246163422721855,'{"planned":{"plan":{"at":"2026-11-21T07:29:23.419353046Z","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","slots":{"limit":5,"used":2,"own":2,"foreign":0,"held":0},"actions":[{"create":{"new":{"free":2}}},{"delete":{"id":807,"created_at":"2026-11-21T07:29:20Z","completed":true,"why":{"retention":{"reason":"full","rule":"last","of":{"number":2}}}}}],"points":[{"id":810,"status":"completed","created_at":"2026-11-21T07:29:22Z","own":true,"keep":true,"why":[{"retention":{"reason":"counted","rule":"last","bucket":"","place":2,"of":{"number":2}}}]},{"id":807,"status":"completed","created_at":"2026-11-21T07:29:20Z","own":true,"keep":false,"why":[{"retention":{"reason":"full","rule":"last","of":{"number":2}}}]}],"refused":null,"notes":[],"max_deletes":2}}}');
INSERT INTO event VALUES(12,2,1795246163423174937,'{"intended":{"step":1,"act":{"create":{"mark":{"token":"dhxuhg4g","instance":"main","policy":"hourly","due":"2026-11-21T07:29:23.408Z"},"listed":[810,807]}}}}');
INSERT INTO event VALUES(12,3,1795246163427839805,'{"answered":{"step":1,"answer":{"accepted":{"id":811}}}}');
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
INSERT INTO point VALUES('12345','snapshot','807',1795246160000000000,'{"name":"lg-30ttyn4a-hourly-20261121T072920Z","description":"lg-30ttyn4a main hourly 2026-11-21T07:29:20Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',4126,0,NULL,1795246163480855352,1795246160115971986,'30ttyn4a',NULL);
INSERT INTO point VALUES('12345','snapshot','810',1795246162000000000,'{"name":"lg-gnxj8ub8-hourly-20261121T072922Z","description":"lg-gnxj8ub8 main hourly 2026-11-21T07:29:22Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',4058,0,NULL,1795246163480855352,1795246162170915114,'gnxj8ub8',NULL);
INSERT INTO point VALUES('12345','snapshot','811',1795246163000000000,'{"name":"lg-dhxuhg4g-hourly-20261121T072923408Z","description":"lg-dhxuhg4g main hourly 2026-11-21T07:29:23.408Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','in_progress',NULL,0,NULL,1795246163480855352,1795246163427839805,'dhxuhg4g',NULL);
INSERT INTO point VALUES('12346','snapshot','804',1795246156000000000,'{"name":"lg-mbjbrc6o-hourly-20261121T072916845Z","description":"lg-mbjbrc6o main hourly 2026-11-21T07:29:16.845Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6790,0,NULL,1795246162764947657,1795246156875019491,'mbjbrc6o',NULL);
INSERT INTO point VALUES('12346','snapshot','808',1795246160000000000,'{"name":"lg-72pu692i-hourly-20261121T072920Z","description":"lg-72pu692i main hourly 2026-11-21T07:29:20Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6916,0,NULL,1795246162764947657,1795246160118813188,'72pu692i',NULL);
INSERT INTO point VALUES('12346','snapshot','809',1795246162000000000,'{"name":"lg-em80q4xu-hourly-20261121T072922Z","description":"lg-em80q4xu main hourly 2026-11-21T07:29:22Z made by lastgood, pruned by policy"}','{"made":"hourly"}','hourly','completed',6946,0,NULL,1795246162764947657,1795246162165430465,'em80q4xu',NULL);
CREATE TABLE inventory (
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    last_at  INTEGER NOT NULL,
    PRIMARY KEY (server, kind)
) WITHOUT ROWID;
INSERT INTO inventory VALUES('12345','snapshot',1795246155319100782,1795246163480855352);
INSERT INTO inventory VALUES('12346','snapshot',1795246156863073697,1795246162764947657);
CREATE TABLE token (
    token    TEXT PRIMARY KEY,
    server   TEXT NOT NULL,
    kind     TEXT NOT NULL,
    policy   TEXT NOT NULL,
    run      INTEGER NOT NULL,
    sent_at  INTEGER NOT NULL,
    state    TEXT NOT NULL                  -- open, made, not_made, undecided
) WITHOUT ROWID;
INSERT INTO token VALUES('1yoomcll','12346','snapshot','hourly',6,1795246158103393425,'made');
INSERT INTO token VALUES('30ttyn4a','12345','snapshot','hourly',7,1795246160107392387,'made');
INSERT INTO token VALUES('72pu692i','12346','snapshot','hourly',8,1795246160114681436,'made');
INSERT INTO token VALUES('8r986262','12345','snapshot','hourly',3,1795246156284884419,'made');
INSERT INTO token VALUES('dhxuhg4g','12345','snapshot','hourly',12,1795246163423174937,'made');
INSERT INTO token VALUES('dkypya4y','12346','snapshot','hourly',11,1795246162802879691,'not_made');
INSERT INTO token VALUES('em80q4xu','12346','snapshot','hourly',10,1795246162158830405,'made');
INSERT INTO token VALUES('gnxj8ub8','12345','snapshot','hourly',9,1795246162147053348,'made');
INSERT INTO token VALUES('mbjbrc6o','12346','snapshot','hourly',4,1795246156869041282,'made');
INSERT INTO token VALUES('o0wd0s6l','12345','snapshot','hourly',1,1795246155347167816,'made');
INSERT INTO token VALUES('s7pn93n8','12345','snapshot','hourly',2,1795246155867832340,'made');
INSERT INTO token VALUES('xceqw9wg','12345','snapshot','hourly',5,1795246158071388229,'made');
CREATE TABLE evicted (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (server, policy)
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
INSERT INTO hold VALUES(1,NULL,'snapshot','804','804','audit',1795246157261156080,NULL);
CREATE TABLE due_time (
    server    TEXT NOT NULL,
    policy    TEXT NOT NULL,
    schedule  TEXT NOT NULL,                -- a change starts from now
    handled   INTEGER NOT NULL,
    first_at  INTEGER NOT NULL,
    stale     INTEGER NOT NULL DEFAULT 0,   -- told
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;
INSERT INTO due_time VALUES('12345','hourly','*/2 * * * * * UTC 0',1795246162000000000,1795246157551079789,0);
INSERT INTO due_time VALUES('12346','hourly','*/2 * * * * * UTC 0',1795246162000000000,1795246157551079789,0);
CREATE TABLE server (
    id      TEXT PRIMARY KEY,
    body    TEXT NOT NULL,
    seen_at INTEGER NOT NULL,
    gone_at INTEGER
) WITHOUT ROWID;
INSERT INTO server VALUES('12345','{"reference":{"id":12345,"name":"web-server-01"},"keys":["12345","web-server-01"],"status":"active"}',1795246163382810543,NULL);
INSERT INTO server VALUES('12346','{"reference":{"id":12346,"name":"web-server-02"},"keys":["12346","web-server-02"],"status":"active"}',1795246163382810543,NULL);
CREATE TABLE lease (
    server TEXT PRIMARY KEY,
    holder TEXT NOT NULL,
    until  INTEGER NOT NULL
) WITHOUT ROWID;
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
INSERT INTO incident VALUES(1,'12346','hourly','run','making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.','web-server-02',1795246162811240969,NULL);
CREATE TABLE notice (
    id       INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    body     TEXT NOT NULL,
    incident INTEGER REFERENCES incident (id),
    closed   INTEGER NOT NULL DEFAULT 0     -- every report has told it, or need not
);
INSERT INTO notice VALUES(1,1795246155419186227,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 801","last_good":{"id":801,"created_at":"2026-11-21T07:29:15Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(2,1795246155925591592,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 802","last_good":{"id":802,"created_at":"2026-11-21T07:29:15Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(3,1795246156345762772,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 803","last_good":{"id":803,"created_at":"2026-11-21T07:29:16Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(4,1795246156961842177,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 804","last_good":{"id":804,"created_at":"2026-11-21T07:29:16Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(5,1795246158241068028,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 805","last_good":{"id":805,"created_at":"2026-11-21T07:29:18Z"},"next":"2026-11-21T07:29:20Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(6,1795246158271220500,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 806","last_good":{"id":806,"created_at":"2026-11-21T07:29:18Z"},"next":"2026-11-21T07:29:20Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(7,1795246160201199297,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 808","last_good":{"id":808,"created_at":"2026-11-21T07:29:20Z"},"next":"2026-11-21T07:29:22Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(8,1795246160257315317,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 807","last_good":{"id":807,"created_at":"2026-11-21T07:29:20Z"},"next":"2026-11-21T07:29:22Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(9,1795246162234195273,'{"class":"success","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"made snapshot 809","last_good":{"id":809,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T07:29:24Z","since":null,"lost":[],"reports":[]}',NULL,1);
INSERT INTO notice VALUES(10,1795246162242847099,'{"class":"success","topic":"run","server":{"id":12345,"name":"web-server-01"},"policy":"hourly","kind":"snapshot","text":"made snapshot 810","last_good":{"id":810,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T07:29:24Z","since":null,"lost":[],"reports":[]}',NULL,0);
INSERT INTO notice VALUES(11,1795246162811240969,'{"class":"failure","topic":"run","server":{"id":12346,"name":"web-server-02"},"policy":"hourly","kind":"snapshot","text":"making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.","last_good":{"id":809,"created_at":"2026-11-21T07:29:22Z"},"next":"2026-11-21T08:00:00Z","since":null,"lost":[],"reports":[]}',1,1);
CREATE TABLE told (
    notice   INTEGER NOT NULL REFERENCES notice (id) ON DELETE CASCADE,
    report   TEXT NOT NULL,
    incident INTEGER,
    class    TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (notice, report)
) WITHOUT ROWID;
INSERT INTO told VALUES(11,'oncall',1,'failure',1795246162835002021);
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
INSERT INTO outbox VALUES(1,'<lastgood.oncall.1795246162811240969.11@example.com>','oncall','[lastgood] FAILED hourly on web-server-02: making a snapshot of server 12346 (POST /api/v1/snapshots/): the provider refused (400 Bad Request): Bad request.','backup@example.com','["oncall@example.com"]',X'446174653a205361742c203231204e6f7620323032362030373a32393a3232202b303030300d0a46726f6d3a206c617374676f6f64203c6261636b7570406578616d706c652e636f6d3e0d0a546f3a206f6e63616c6c406578616d706c652e636f6d0d0a5375626a6563743a205b6c617374676f6f645d204641494c454420686f75726c79206f6e207765622d7365727665722d30323a206d616b696e67206120736e617073686f74206f660d0a207365727665722031323334362028504f5354202f6170692f76312f736e617073686f74732f293a207468652070726f766964657220726566757365642028343030204261640d0a2052657175657374293a2042616420726571756573742e0d0a4d6573736167652d49443a203c6c617374676f6f642e6f6e63616c6c2e313739353234363136323831313234303936392e3131406578616d706c652e636f6d3e0d0a4175746f2d5375626d69747465643a206175746f2d67656e6572617465640d0a582d4175746f2d526573706f6e73652d53757070726573733a20416c6c0d0a4d494d452d56657273696f6e3a20312e300d0a436f6e74656e742d547970653a206d756c7469706172742f616c7465726e61746976653b0d0a20626f756e646172793d223d5f6c617374676f6f646f6e63616c6c3137393532343631363238313132343039363931316578616d70220d0a0d0a2d2d3d5f6c617374676f6f646f6e63616c6c3137393532343631363238313132343039363931316578616d700d0a436f6e74656e742d547970653a20746578742f706c61696e3b20636861727365743d7574662d380d0a436f6e74656e742d5472616e736665722d456e636f64696e673a20376269740d0a0d0a686f75726c79206f6e207765622d7365727665722d3032206661696c65640d0a3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d0d0a0d0a20203e206d616b696e67206120736e617073686f74206f66207365727665722031323334362028504f5354202f6170692f76312f736e617073686f74732f293a207468650d0a2020202070726f766964657220726566757365642028343030204261642052657175657374293a2042616420726571756573742e0d0a0d0a5365727665723a207765622d7365727665722d303220286964203132333436290d0a506f6c6963793a20686f75726c792028736e617073686f7473290d0a5768656e3a20323032362d31312d32312030373a32392055544320283020732061676f290d0a4c61737420676f6f643a20323032362d31312d32312030373a32392055544320283020732061676f292c20736e617073686f74203830390d0a4e6578743a206e6f7468696e67206265666f726520746865206e657874206475652074696d652c20323032362d31312d32312030383a3030205554432028696e203330206d696e290d0a0d0a546f206c6f6f6b20636c6f7365723a0d0a20206c617374676f6f6420686973746f7279202d2d736572766572207765622d7365727665722d30320d0a0d0a2d2d0d0a5772697474656e206279206c617374676f6f642c20696e7374616e6365206d61696e2c20617420323032362d31312d32312030373a3239205554432e2054696d6573206172650d0a696e205554432e0d0a0d0a2d2d3d5f6c617374676f6f646f6e63616c6c3137393532343631363238313132343039363931316578616d700d0a436f6e74656e742d547970653a20746578742f68746d6c3b20636861727365743d7574662d380d0a436f6e74656e742d5472616e736665722d456e636f64696e673a2071756f7465642d7072696e7461626c650d0a0d0a3c21646f63747970652068746d6c3e0d0a3c68746d6c206c616e673d334422656e223e0d0a3c686561643e0d0a3c6d65746120636861727365743d3344227574662d38223e0d0a3c6d657461206e616d653d33442276696577706f72742220636f6e74656e743d33442277696474683d33446465766963652d77696474682c20696e697469616c2d7363616c653d334431223e0d0a3c6d657461206e616d653d334422636f6c6f722d736368656d652220636f6e74656e743d3344226c69676874206461726b223e0d0a3c6d657461206e616d653d334422737570706f727465642d636f6c6f722d736368656d65732220636f6e74656e743d3344226c69676874206461726b223e0d0a3c7469746c653e5b6c617374676f6f645d204641494c454420686f75726c79206f6e207765622d7365727665722d30323a206d616b696e67206120736e617073686f74206f6620736572763d0d0a65722031323334362028504f53542026237832663b61706926237832663b763126237832663b736e617073686f747326237832663b293a207468652070726f7669646572207265667573653d0d0a642028343030204261642052657175657374293a2042616420726571756573742e3c2f7469746c653e0d0a3c7374796c653e0d0a406d656469612028707265666572732d636f6c6f722d736368656d653a206461726b29207b0d0a20202e70616765207b206261636b67726f756e643a20233131313431382021696d706f7274616e743b207d0d0a20202e63617264207b206261636b67726f756e643a20233162323032362021696d706f7274616e743b20636f6c6f723a20236536653965642021696d706f7274616e743b20626f726465723d0d0a2d636f6c6f723a20233332336134332021696d706f7274616e743b207d0d0a20202e736f6674207b20636f6c6f723a20236134616462382021696d706f7274616e743b207d0d0a20202e6c696e65207b20626f726465722d636f6c6f723a20233332336134332021696d706f7274616e743b207d0d0a20202e71756f7465207b206261636b67726f756e643a20233236326333342021696d706f7274616e743b20636f6c6f723a20236536653965642021696d706f7274616e743b207d0d0a20202e66726565207b206261636b67726f756e643a20233162323032362021696d706f7274616e743b20626f726465722d636f6c6f723a20233662373638342021696d706f7274616e743b3d0d0a207d0d0a20202e626164207b20636f6c6f723a20236666386138302021696d706f7274616e743b207d0d0a20202e706c61696e207b20636f6c6f723a20236134616462382021696d706f7274616e743b207d0d0a20202e7761726e207b20636f6c6f723a20236666636136622021696d706f7274616e743b207d0d0a20202e676f6f64207b20636f6c6f723a20233766643639632021696d706f7274616e743b207d0d0a7d0d0a3c2f7374796c653e0d0a3c2f686561643e0d0a3c626f647920636c6173733d3344227061676522207374796c653d3344226d617267696e3a303b70616464696e673a303b6261636b67726f756e643a236632663466363b2d7765626b69743d0d0a2d746578742d73697a652d61646a7573743a31303025223e0d0a3c646976207374796c653d334422646973706c61793a6e6f6e653b6d61782d6865696768743a303b6f766572666c6f773a68696464656e223e4c61737420676f6f643a20323032362d31313d0d0a2d32312030373a32392055544320283020732061676f293c2f6469763e0d0a3c646976207374796c653d3344226d61782d77696474683a36303070783b6d617267696e3a30206175746f3b70616464696e673a31327078223e0d0a3c64697620636c6173733d3344226361726422207374796c653d3344226261636b67726f756e643a236666666666663b636f6c6f723a233163323132363b626f726465723a31707820736f3d0d0a6c696420236439646565333b626f726465722d7261646975733a3870783b6f766572666c6f773a68696464656e3b666f6e742d66616d696c793a2d6170706c652d73797374656d2c2753653d0d0a676f65205549272c526f626f746f2c48656c7665746963612c417269616c2c73616e732d73657269663b666f6e742d73697a653a313670783b6c696e652d6865696768743a312e3435223e0d0a3c646976207374796c653d3344226261636b67726f756e643a236233323631653b636f6c6f723a236666666666663b70616464696e673a3134707820313670783b666f6e742d73697a653a3d0d0a313970783b666f6e742d7765696768743a3630303b6c696e652d6865696768743a312e333b6f766572666c6f772d777261703a616e797768657265223e686f75726c79206f6e207765622d3d0d0a7365727665722d3032206661696c65643c2f6469763e0d0a3c646976207374796c653d33442270616464696e673a327078203136707820313470783b6f766572666c6f772d777261703a616e797768657265223e0d0a3c7020636c6173733d33442271756f746522207374796c653d3344226d617267696e3a3134707820303b70616464696e673a3130707820313270783b6261636b67726f756e643a236634663d0d0a3165653b626f726465722d6c6566743a34707820736f6c696420236233323631653b666f6e742d66616d696c793a75692d6d6f6e6f73706163652c4d656e6c6f2c436f6e736f6c61732c273d0d0a44656a6156752053616e73204d6f6e6f272c6d6f6e6f73706163653b666f6e742d73697a653a31347078223e6d616b696e67206120736e617073686f74206f6620736572766572203132333d0d0a34362028504f53542026237832663b61706926237832663b763126237832663b736e617073686f747326237832663b293a207468652070726f7669646572207265667573656420283430303d0d0a204261642052657175657374293a2042616420726571756573742e3c2f703e0d0a3c7461626c6520726f6c653d33442270726573656e746174696f6e222063656c6c70616464696e673d33442230222063656c6c73706163696e673d3344223022207374796c653d334422773d0d0a696474683a313030253b6d617267696e3a3132707820303b626f726465722d636f6c6c617073653a636f6c6c61707365223e0d0a3c74723e3c746420636c6173733d334422736f667422207374796c653d33442270616464696e673a35707820313270782033707820303b766572746963616c2d616c69676e3a746f703b773d0d0a696474683a393270783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e5365727665723c2f74643e3c7464207374796c653d33442270616464696e673a3370783d0d0a20303b766572746963616c2d616c69676e3a746f703b6f766572666c6f772d777261703a616e797768657265223e7765622d7365727665722d303220286964203132333436293c2f74643e3d0d0a3c2f74723e0d0a3c74723e3c746420636c6173733d334422736f667422207374796c653d33442270616464696e673a35707820313270782033707820303b766572746963616c2d616c69676e3a746f703b773d0d0a696474683a393270783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e506f6c6963793c2f74643e3c7464207374796c653d33442270616464696e673a3370783d0d0a20303b766572746963616c2d616c69676e3a746f703b6f766572666c6f772d777261703a616e797768657265223e686f75726c792028736e617073686f7473293c2f74643e3c2f74723e0d0a3c74723e3c746420636c6173733d334422736f667422207374796c653d33442270616464696e673a35707820313270782033707820303b766572746963616c2d616c69676e3a746f703b773d0d0a696474683a393270783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e5768656e3c2f74643e3c7464207374796c653d33442270616464696e673a33707820303d0d0a3b766572746963616c2d616c69676e3a746f703b6f766572666c6f772d777261703a616e797768657265223e323032362d31312d32312030373a32392055544320283020732061676f293c3d0d0a2f74643e3c2f74723e0d0a3c74723e3c746420636c6173733d334422736f667422207374796c653d33442270616464696e673a35707820313270782033707820303b766572746963616c2d616c69676e3a746f703b773d0d0a696474683a393270783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e4c61737420676f6f643c2f74643e3c7464207374796c653d33442270616464696e673a3d0d0a33707820303b766572746963616c2d616c69676e3a746f703b6f766572666c6f772d777261703a616e7977686572653b666f6e742d7765696768743a363030223e323032362d31312d32313d0d0a2030373a32392055544320283020732061676f292c20736e617073686f74203830393c2f74643e3c2f74723e0d0a3c74723e3c746420636c6173733d334422736f667422207374796c653d33442270616464696e673a35707820313270782033707820303b766572746963616c2d616c69676e3a746f703b773d0d0a696474683a393270783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e4e6578743c2f74643e3c7464207374796c653d33442270616464696e673a33707820303d0d0a3b766572746963616c2d616c69676e3a746f703b6f766572666c6f772d777261703a616e797768657265223e6e6f7468696e67206265666f726520746865206e657874206475652074696d3d0d0a652c20323032362d31312d32312030383a3030205554432028696e203330206d696e293c2f74643e3c2f74723e0d0a3c2f7461626c653e0d0a3c7020636c6173733d334422736f667422207374796c653d3344226d617267696e3a313870782030203470783b636f6c6f723a233562363637333b666f6e742d73697a653a31347078223e3d0d0a546f206c6f6f6b20636c6f7365723a3c2f703e0d0a3c7020636c6173733d33442271756f746522207374796c653d3344226d617267696e3a34707820303b70616464696e673a38707820313270783b6261636b67726f756e643a2365656631663d0d0a343b626f726465722d7261646975733a3470783b666f6e742d66616d696c793a75692d6d6f6e6f73706163652c4d656e6c6f2c436f6e736f6c61732c2744656a6156752053616e73204d6f3d0d0a6e6f272c6d6f6e6f73706163653b666f6e742d73697a653a31337078223e6c617374676f6f6420686973746f7279202d2d736572766572207765622d7365727665722d30323c2f703e0d0a3c2f6469763e0d0a3c2f6469763e0d0a3c7020636c6173733d334422736f667422207374796c653d3344226d617267696e3a31307078203470783b636f6c6f723a233562363637333b666f6e742d66616d696c793a2d6170706c653d0d0a2d73797374656d2c275365676f65205549272c526f626f746f2c48656c7665746963612c417269616c2c73616e732d73657269663b666f6e742d73697a653a313370783b6c696e652d68653d0d0a696768743a312e34223e5772697474656e206279206c617374676f6f642c20696e7374616e6365206d61696e2c20617420323032362d31312d32312030373a3239205554432e2054696d653d0d0a732061726520696e205554432e3c2f703e0d0a3c2f6469763e0d0a3c2f626f64793e0d0a3c2f68746d6c3e0d0a2d2d3d5f6c617374676f6f646f6e63616c6c3137393532343631363238313132343039363931316578616d702d2d0d0a',1795246162835002021,1795246167835002021,1,NULL,NULL,'mail not delivered through token/nowhere: writing the file failed: 20261121T072922Z-lastgood-failed-hourly-on-web-server-02-making-a-snapshot-of-1.eml: Not a directory (os error 20)');
CREATE TABLE digest (
    report  TEXT PRIMARY KEY,
    handled INTEGER NOT NULL,
    facts   TEXT
) WITHOUT ROWID;
CREATE TABLE fact (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
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
INSERT INTO brake VALUES(1,'12345','snapshot','gone','','{"cause":"gone","policy":null,"text":"completed snapshots of ours are gone","points":[]}',1795245000000000000,NULL);
CREATE TABLE retention (
    server TEXT NOT NULL,
    policy TEXT NOT NULL,
    words  TEXT NOT NULL,
    PRIMARY KEY (server, policy)
) WITHOUT ROWID;
INSERT INTO retention VALUES('12345','hourly','last = 4; Sequential; UTC; min_keep 1; prune Own; protect []; formerly []');
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('run',12);
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
COMMIT;
