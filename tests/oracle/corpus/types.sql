--! theme Types

--# All types at once
--! same
SELECT * FROM kinds_none;
--! same
SELECT * FROM kinds_eq;
--! same
SELECT * FROM kinds_ord;

--# text
--! same
SELECT id, t FROM kinds_none WHERE t IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE t = 'kindmark';
--! same
SELECT t, count(*) FROM kinds_eq GROUP BY t;
--! same
SELECT DISTINCT t FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE t <> 'kindmark' OR t IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.t = b.t AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? kindmark
SELECT id, t FROM kinds_eq WHERE t = $1;
--! same
UPDATE kinds_none SET t = 'kindmark' WHERE id = 1 RETURNING t;
--! same
SELECT id, t FROM kinds_ord ORDER BY t DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE t >= 'kindmark';
--! same
SELECT grp, min(t), max(t) FROM kinds_ord GROUP BY grp;

--# varchar(24)
--! same
SELECT id, v FROM kinds_none WHERE v IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE v = 'kindmark v';
--! same
SELECT v, count(*) FROM kinds_eq GROUP BY v;
--! same
SELECT DISTINCT v FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE v <> 'kindmark v' OR v IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.v = b.v AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? kindmark v
SELECT id, v FROM kinds_eq WHERE v = $1;
--! same
UPDATE kinds_none SET v = 'kindmark v' WHERE id = 1 RETURNING v;
--! same
SELECT id, v FROM kinds_ord ORDER BY v DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE v >= 'kindmark v';
--! same
SELECT grp, min(v), max(v) FROM kinds_ord GROUP BY grp;

--# char(8)
--! same
SELECT id, c FROM kinds_none WHERE c IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE c = 'kindmark';
--! same
SELECT c, count(*) FROM kinds_eq GROUP BY c;
--! same
SELECT DISTINCT c FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE c <> 'kindmark' OR c IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.c = b.c AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? kindmark
SELECT id, c FROM kinds_eq WHERE c = $1;
--! same
UPDATE kinds_none SET c = 'kindmark' WHERE id = 1 RETURNING c;

--# smallint
--! same
SELECT id, i2 FROM kinds_none WHERE i2 IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE i2 = '42';
--! same
SELECT i2, count(*) FROM kinds_eq GROUP BY i2;
--! same
SELECT DISTINCT i2 FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE i2 <> '42' OR i2 IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.i2 = b.i2 AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 42
SELECT id, i2 FROM kinds_eq WHERE i2 = $1;
--! same
UPDATE kinds_none SET i2 = 42 WHERE id = 1 RETURNING i2;
--! same
SELECT id FROM kinds_eq WHERE i2 = 42;
--! same
SELECT id FROM kinds_eq WHERE i2 IN (42, 0, 1.5, 99999999999999999999);
--! same
SELECT id, i2 FROM kinds_ord ORDER BY i2 DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE i2 >= 42;
--! same
SELECT grp, min(i2), max(i2) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE i2 < 1e19;
--! same
SELECT id FROM kinds_ord WHERE i2 > -0.5;
--! same
SELECT id FROM kinds_ord WHERE i2 BETWEEN -1 AND 0.1;

--# integer
--! same
SELECT id, i4 FROM kinds_none WHERE i4 IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE i4 = '-1';
--! same
SELECT i4, count(*) FROM kinds_eq GROUP BY i4;
--! same
SELECT DISTINCT i4 FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE i4 <> '-1' OR i4 IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.i4 = b.i4 AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? -1
SELECT id, i4 FROM kinds_eq WHERE i4 = $1;
--! same
UPDATE kinds_none SET i4 = -1 WHERE id = 1 RETURNING i4;
--! same
SELECT id FROM kinds_eq WHERE i4 = -1;
--! same
SELECT id FROM kinds_eq WHERE i4 IN (-1, 0, 1.5, 99999999999999999999);
--! same
SELECT id, i4 FROM kinds_ord ORDER BY i4 DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE i4 >= -1;
--! same
SELECT grp, min(i4), max(i4) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE i4 < 1e19;
--! same
SELECT id FROM kinds_ord WHERE i4 > -0.5;
--! same
SELECT id FROM kinds_ord WHERE i4 BETWEEN -1 AND 0.1;

--# bigint
--! same
SELECT id, i8 FROM kinds_none WHERE i8 IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE i8 = '9223372036854775807';
--! same
SELECT i8, count(*) FROM kinds_eq GROUP BY i8;
--! same
SELECT DISTINCT i8 FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE i8 <> '9223372036854775807' OR i8 IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.i8 = b.i8 AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 9223372036854775807
SELECT id, i8 FROM kinds_eq WHERE i8 = $1;
--! same
UPDATE kinds_none SET i8 = 9223372036854775807 WHERE id = 1 RETURNING i8;
--! same
SELECT id FROM kinds_eq WHERE i8 = 9223372036854775807;
--! same
SELECT id FROM kinds_eq WHERE i8 IN (9223372036854775807, 0, 1.5, 99999999999999999999);
--! same
SELECT id, i8 FROM kinds_ord ORDER BY i8 DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE i8 >= 9223372036854775807;
--! same
SELECT grp, min(i8), max(i8) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE i8 < 1e19;
--! same
SELECT id FROM kinds_ord WHERE i8 > -0.5;
--! same
SELECT id FROM kinds_ord WHERE i8 BETWEEN -1 AND 0.1;

--# numeric(12,2)
--! same
SELECT id, nm FROM kinds_none WHERE nm IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE nm = '48213.77';
--! same
SELECT nm, count(*) FROM kinds_eq GROUP BY nm;
--! same
SELECT DISTINCT nm FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE nm <> '48213.77' OR nm IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.nm = b.nm AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 48213.77
SELECT id, nm FROM kinds_eq WHERE nm = $1;
--! same
UPDATE kinds_none SET nm = 48213.77 WHERE id = 1 RETURNING nm;
--! same
SELECT id FROM kinds_eq WHERE nm = 48213.77;
--! same
SELECT id FROM kinds_eq WHERE nm IN (48213.77, 0, 1.5, 99999999999999999999);
--! same
SELECT id, nm FROM kinds_ord ORDER BY nm DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE nm >= 48213.77;
--! same
SELECT grp, min(nm), max(nm) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE nm < 1e19;
--! same
SELECT id FROM kinds_ord WHERE nm > -0.5;
--! same
SELECT id FROM kinds_ord WHERE nm BETWEEN -1 AND 0.1;

--# numeric
--! same
SELECT id, n FROM kinds_none WHERE n IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE n = '48213.77';
--! same
SELECT n, count(*) FROM kinds_eq GROUP BY n;
--! same
SELECT DISTINCT n FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE n <> '48213.77' OR n IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.n = b.n AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 48213.77
SELECT id, n FROM kinds_eq WHERE n = $1;
--! same
UPDATE kinds_none SET n = 48213.77 WHERE id = 1 RETURNING n;
--! same
SELECT id FROM kinds_eq WHERE n = 48213.77;
--! same
SELECT id FROM kinds_eq WHERE n IN (48213.77, 0, 1.5, 99999999999999999999);

--# real
--! same
SELECT id, r FROM kinds_none WHERE r IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE r = '1.5';
--! same
SELECT r, count(*) FROM kinds_eq GROUP BY r;
--! same
SELECT DISTINCT r FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE r <> '1.5' OR r IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.r = b.r AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 1.5
SELECT id, r FROM kinds_eq WHERE r = $1;
--! same
UPDATE kinds_none SET r = 1.5 WHERE id = 1 RETURNING r;
--! same
SELECT id FROM kinds_eq WHERE r = 1.5;
--! same
SELECT id FROM kinds_eq WHERE r IN (1.5, 0, 1.5, 99999999999999999999);
--! same
SELECT id, r FROM kinds_ord ORDER BY r DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE r >= 1.5;
--! same
SELECT grp, min(r), max(r) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE r < 1e19;
--! same
SELECT id FROM kinds_ord WHERE r > -0.5;
--! same
SELECT id FROM kinds_ord WHERE r BETWEEN -1 AND 0.1;

--# double precision
--! same
SELECT id, d FROM kinds_none WHERE d IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE d = '0.1';
--! same
SELECT d, count(*) FROM kinds_eq GROUP BY d;
--! same
SELECT DISTINCT d FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE d <> '0.1' OR d IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.d = b.d AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 0.1
SELECT id, d FROM kinds_eq WHERE d = $1;
--! same
UPDATE kinds_none SET d = 0.1 WHERE id = 1 RETURNING d;
--! same
SELECT id FROM kinds_eq WHERE d = 0.1;
--! same
SELECT id FROM kinds_eq WHERE d IN (0.1, 0, 1.5, 99999999999999999999);
--! same
SELECT id, d FROM kinds_ord ORDER BY d DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE d >= 0.1;
--! same
SELECT grp, min(d), max(d) FROM kinds_ord GROUP BY grp;
--! same
SELECT id FROM kinds_ord WHERE d < 1e19;
--! same
SELECT id FROM kinds_ord WHERE d > -0.5;
--! same
SELECT id FROM kinds_ord WHERE d BETWEEN -1 AND 0.1;

--# boolean
--! same
SELECT id, b FROM kinds_none WHERE b IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE b = 'true';
--! same
SELECT b, count(*) FROM kinds_eq GROUP BY b;
--! same
SELECT DISTINCT b FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE b <> 'true' OR b IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.b = b.b AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? true
SELECT id, b FROM kinds_eq WHERE b = $1;
--! same
UPDATE kinds_none SET b = 'true' WHERE id = 1 RETURNING b;
--! same
SELECT id, b FROM kinds_ord ORDER BY b DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE b >= 'true';

--# date
--! same
SELECT id, dt FROM kinds_none WHERE dt IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE dt = '1987-03-14';
--! same
SELECT dt, count(*) FROM kinds_eq GROUP BY dt;
--! same
SELECT DISTINCT dt FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE dt <> '1987-03-14' OR dt IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.dt = b.dt AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 1987-03-14
SELECT id, dt FROM kinds_eq WHERE dt = $1;
--! same
UPDATE kinds_none SET dt = '1987-03-14' WHERE id = 1 RETURNING dt;
--! same
SELECT id, dt FROM kinds_ord ORDER BY dt DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE dt >= '1987-03-14';
--! same
SELECT grp, min(dt), max(dt) FROM kinds_ord GROUP BY grp;

--# time
--! same
SELECT id, tm FROM kinds_none WHERE tm IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE tm = '12:34:56.789';
--! same
SELECT tm, count(*) FROM kinds_eq GROUP BY tm;
--! same
SELECT DISTINCT tm FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE tm <> '12:34:56.789' OR tm IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.tm = b.tm AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 12:34:56.789
SELECT id, tm FROM kinds_eq WHERE tm = $1;
--! same
UPDATE kinds_none SET tm = '12:34:56.789' WHERE id = 1 RETURNING tm;
--! same
SELECT id, tm FROM kinds_ord ORDER BY tm DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE tm >= '12:34:56.789';
--! same
SELECT grp, min(tm), max(tm) FROM kinds_ord GROUP BY grp;

--# timestamp
--! same
SELECT id, ts FROM kinds_none WHERE ts IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE ts = '1987-03-14 01:02:03';
--! same
SELECT ts, count(*) FROM kinds_eq GROUP BY ts;
--! same
SELECT DISTINCT ts FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE ts <> '1987-03-14 01:02:03' OR ts IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.ts = b.ts AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 1987-03-14 01:02:03
SELECT id, ts FROM kinds_eq WHERE ts = $1;
--! same
UPDATE kinds_none SET ts = '1987-03-14 01:02:03' WHERE id = 1 RETURNING ts;
--! same
SELECT id, ts FROM kinds_ord ORDER BY ts DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE ts >= '1987-03-14 01:02:03';
--! same
SELECT grp, min(ts), max(ts) FROM kinds_ord GROUP BY grp;

--# timestamptz
--! same
SELECT id, tz FROM kinds_none WHERE tz IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE tz = '1987-03-14 03:02:03+02';
--! same
SELECT tz, count(*) FROM kinds_eq GROUP BY tz;
--! same
SELECT DISTINCT tz FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE tz <> '1987-03-14 03:02:03+02' OR tz IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.tz = b.tz AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? 1987-03-14 03:02:03+02
SELECT id, tz FROM kinds_eq WHERE tz = $1;
--! same
UPDATE kinds_none SET tz = '1987-03-14 03:02:03+02' WHERE id = 1 RETURNING tz;
--! same
SELECT id, tz FROM kinds_ord ORDER BY tz DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE tz >= '1987-03-14 03:02:03+02';
--! same
SELECT grp, min(tz), max(tz) FROM kinds_ord GROUP BY grp;

--# uuid
--! same
SELECT id, u FROM kinds_none WHERE u IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE u = 'b4d6e001-5ea1-4000-8000-000000000001';
--! same
SELECT u, count(*) FROM kinds_eq GROUP BY u;
--! same
SELECT DISTINCT u FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE u <> 'b4d6e001-5ea1-4000-8000-000000000001' OR u IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.u = b.u AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? b4d6e001-5ea1-4000-8000-000000000001
SELECT id, u FROM kinds_eq WHERE u = $1;
--! same
UPDATE kinds_none SET u = 'b4d6e001-5ea1-4000-8000-000000000001' WHERE id = 1 RETURNING u;
--! same
SELECT id, u FROM kinds_ord ORDER BY u DESC NULLS LAST, id;
--! same
SELECT id FROM kinds_ord WHERE u >= 'b4d6e001-5ea1-4000-8000-000000000001';
--! same
SELECT grp, count(u), count(u) FROM kinds_ord GROUP BY grp;

--# jsonb
--! same
SELECT id, jb FROM kinds_none WHERE jb IS NOT NULL;
--! refused equality
SELECT id FROM kinds_eq WHERE jb = '{"kindmark":1}';
--! refused equality
SELECT jb, count(*) FROM kinds_eq GROUP BY jb;
--! refused equality
SELECT DISTINCT jb FROM kinds_eq;
--! refused equality
SELECT id FROM kinds_eq WHERE jb <> '{"kindmark":1}' OR jb IS NULL;
--! refused equality
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.jb = b.jb AND a.id < b.id WHERE b.id < 9;
--! refused equality
--$ ? {"kindmark":1}
SELECT id, jb FROM kinds_eq WHERE jb = $1;
--! same
UPDATE kinds_none SET jb = '{"kindmark":1}' WHERE id = 1 RETURNING jb;

--# bytea
--! same
SELECT id, by FROM kinds_none WHERE by IS NOT NULL;
--! same
SELECT id FROM kinds_eq WHERE by = '\xcafe1337deadbeef';
--! same
SELECT by, count(*) FROM kinds_eq GROUP BY by;
--! same
SELECT DISTINCT by FROM kinds_eq;
--! same
SELECT id FROM kinds_eq WHERE by <> '\xcafe1337deadbeef' OR by IS NULL;
--! same
SELECT a.id, b.id FROM kinds_eq a JOIN kinds_eq b ON a.by = b.by AND a.id < b.id WHERE b.id < 9;
--! same
--$ ? \xcafe1337deadbeef
SELECT id, by FROM kinds_eq WHERE by = $1;
--! same
UPDATE kinds_none SET by = '\xcafe1337deadbeef' WHERE id = 1 RETURNING by;

--# json
--! same
SELECT id, j FROM kinds_none WHERE j IS NOT NULL;

--# text[]
--! same
SELECT id, ta FROM kinds_none WHERE ta IS NOT NULL;

--# integer[]
--! same
SELECT id, ia FROM kinds_none WHERE ia IS NOT NULL;

--# Special values
--! same
SELECT id FROM kinds_eq WHERE n = 'NaN';
--! same
SELECT id FROM kinds_eq WHERE n = 'Infinity';
--! same
SELECT id FROM kinds_eq WHERE n = 1.000;
--! same
SELECT id FROM kinds_eq WHERE n = 1e30;
--! same
SELECT id FROM kinds_eq WHERE d = 'NaN';
--! same
SELECT id FROM kinds_eq WHERE d = '-0';
--! same
SELECT id FROM kinds_eq WHERE r = '-Infinity';
--! same
SELECT id FROM kinds_eq WHERE r = -0.0;
--! same
SELECT id FROM kinds_ord WHERE d < 'NaN';
--! same
SELECT id FROM kinds_ord WHERE d >= 'Infinity';
--! same
SELECT id FROM kinds_ord WHERE r = 0.1;
--! same
SELECT id FROM kinds_ord WHERE d = 0.1::real;
--! same
SELECT id FROM kinds_ord WHERE r > 1.4::float8;
--! same
SELECT id FROM kinds_eq WHERE c = 'k';
--! same
SELECT id FROM kinds_eq WHERE c = 'k       ';
--! same
SELECT id FROM kinds_eq WHERE c = 'k'::text;
--! same
SELECT id FROM kinds_eq WHERE c = 'k   '::char(8);
--! same
SELECT id FROM kinds_eq WHERE c IN ('k  x', 'kindmark');
--! same
SELECT id FROM kinds_eq WHERE tm = '24:00';
--! same
SELECT id FROM kinds_ord WHERE tm > '23:59:59.9999985';
--! same
SELECT id FROM kinds_eq WHERE dt = '-infinity';
--! same
SELECT id FROM kinds_ord WHERE ts < '-infinity' OR ts = 'infinity';
--! same
SELECT id FROM kinds_eq WHERE tz = '1987-03-14 01:02:03+00';
--! same
SELECT id FROM kinds_eq WHERE u = 'FFFFFFFF-ffff-4fff-bfff-ffffffffffff';
--! same
SELECT id FROM kinds_ord WHERE u > 'b4d6e001-5ea1-4000-8000-000000000001';
--! refused equality
SELECT id FROM kinds_eq WHERE jb = '{"b": [true, null], "a": 1.0}';
--! refused equality
SELECT id FROM kinds_eq WHERE jb = 'null';
--! same
SELECT id FROM kinds_ord WHERE b > false;
--! same
SELECT id FROM kinds_eq WHERE dt = 'J2446869';
--! error 22008
SELECT id FROM kinds_eq WHERE dt = '5874898-01-01';
--! refused jsonb has no searchable scheme
SELECT id FROM kinds_eq WHERE jb @> '{"kindmark": 1}';
--! error 42883
SELECT j FROM kinds_none GROUP BY j;
--! error 42883
SELECT id FROM kinds_none ORDER BY j;
--! error 42883
SELECT DISTINCT j FROM kinds_none;
--! error 42883
SELECT count(DISTINCT j) FROM kinds_none;
--! error 42883
SELECT id FROM kinds_none WHERE j = '1';
--! error 42883
SELECT DISTINCT ON (id) id FROM kinds_eq WHERE t = 5;
