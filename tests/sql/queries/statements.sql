-- Statements as applications write them, one a line. test_queries_server.py holds what the analysis makes of each
-- against PostgreSQL's own answer on plain tables: names, types, origins, parameters, errors.
select email, phone from customers where email = 'a@b'
select * from customers c where c.email in ('a', $1, null) and id = $2
select * from customers where email = $1 and name = $1
select * from customers where email = $1 or phone = $1
select * from customers where $1 is null or email = $1
select * from customers where $1::text is null or email = $1::text
select * from customers where email = any($1) or phone = any('{a,"b c",NULL}') or phone = any(array['x',$2]::varchar[])
select * from customers where born between '2000-01-01' and date '2001-01-01' order by born desc nulls last
select * from customers where email < 'a'
select * from customers where notes = 'a'
select notes from customers where notes is not null
select lower(email) from customers
select email || 'x' from customers
select c.phone, k.phone from customers c join contacts k on c.phone = k.phone
select * from customers c join contacts k using (phone)
select phone from customers natural join contacts
select c.id from customers c join contacts k on c.email = k.email
select email, count(*) from customers group by 1 having count(*) > 1 order by 2
select distinct email from customers order by email
select min(born), max(balance), min(phone) from customers
select min(born) from customers
select nick from customers where nick like 'ab%' and nick not like 'x\%y%' and email like 'abc'
select nick from customers where nick like '%ab'
select email::text, phone::text, phone::varchar, phone::varchar(3) from customers
select phone::text, phone::varchar from customers
select coalesce(email, 'none'), nullif(phone,''), case when id=1 then email else 'x' end from customers
select case email when 'a' then 1 else 2 end from customers
select (email, id) = ('a', 3), (id, email) in (select 1, email from customers) from customers
select email from customers union all select 'x' union select $1
with v(e) as (values ('a'),($1)) select v.e from customers join v on customers.email = v.e
with v(e) as (values ('a')) select * from customers join v on customers.email = v.e and v.e = name
update customers set email = v.e from (values (1,'a'),(2,'b')) v(i,e) where id = v.i
update customers set (email, name) = ('x', 'y'), born = null, phone = default where email = 'z' returning old.email, new.email, *
update customers set (email, name) = (select email, name from customers where id = 3)
insert into customers values (1, 'n', 'e', 'p', '2000-01-01', 'notes', -5, 'x', true, 'abc', 99999999999)
insert into customers (id, email) values (1, $1), ($2, default), (3, null) on conflict (email) do update set email = excluded.email, name = $1 where customers.email <> excluded.email returning email as e
insert into customers (email) select email from contacts
insert into customers (phone, id) select phone, id from contacts union all select 'x', 3
insert into contacts (phone) select 'a' union select 'b'
insert into customers (notes) select 'a' union select 'b'
insert into customers (notes) select 'a' union all select 'b'
insert into customers (name) select email from customers
insert into customers (email) select name from customers
insert into customers (email) values (upper('x'))
delete from customers using contacts k where k.phone = customers.phone and customers.email = 'x' returning k.phone
merge into customers c using contacts k on c.phone = k.phone when matched and c.email = 'x' then update set email = 'y' when not matched then insert (id, phone, email) values (k.id, k.phone, $1) returning merge_action(), c.email
select * from people where mail = 'x'
select * from elders e where e.mail = $1
select * from filtered
select * from broken
select * from totals
insert into people (mail) values ('x')
update people set mail = 'x' where born > '2000-01-01'
update filtered set email = 'x'
select secret from raw
select id from raw
select secret from later where secret = 'x'
select lag(email, 1, 'x') over (order by id), row_number() over (partition by email order by born) from customers
select row_number() over (order by email) from customers
select array_agg(email order by id), count(distinct email), mode() within group (order by email) from customers
select array_agg(distinct email) from customers
select c from customers c
select count(c) from customers c
select row_to_json(c) from customers c
select (c).email from customers c
select (c).* from customers c
with recursive r(n, e) as (select 1, email from customers union all select n+1, e from r where n < 3) select * from r
select * from customers c, lateral (select k.phone from contacts k where k.phone = c.phone) x
select * from customers c, (select c.phone) x
select (select email from customers limit 1), exists(select email from customers), array(select email from customers)
select email from customers where id in (select customer_id from contacts where phone = $1)
select email from customers where email not in (select email from customers)
select nosuch from customers
select x.a from customers
select customers.email from customers c
select email from customers, plain_mail
select * from nope
select phone from customers where phone = 5
select points from customers where points = 5 or points in (6, -7, 99999999999) or points = 5::smallint
select balance from customers where balance > 5.5 and balance < $1::numeric
select email from customers where active
select email from customers where active = true
select grouping(email), email, born from customers group by grouping sets ((email), (born), rollup(email, born))
select email from customers window w as (partition by email order by born)
select email from customers, generate_series(1,3) g where g = id
select * from customers, json_each('{}') j
select c.email, j.* from customers c, json_each('{}') j
select email as e from customers order by e
select distinct on (email) email, id from customers order by email, id
select distinct on (email) email, id from customers
select email collate "C" from customers
select greatest(born, '2000-01-01', null) from customers
select greatest(email, 'x') from customers
select email is distinct from 'x', email is not distinct from phone from customers
select 'x' = email, $1 = any(array[email]) from customers
select sum(balance) from customers
select code from customers where code = 'ab'
select email from customers for update of customers
select email from customers tablesample system (10) repeatable (1) limit 3 offset $1
select first_value(email) over w from customers window w as (order by born)
select coalesce(points, 5), coalesce(balance, 0.00) from customers
select coalesce(points, 5.5) from customers
values ('a', 1)
select email from customers intersect select email from customers
select notes from customers union select notes from customers
select notes from customers union all select notes from customers
select now() - born from customers
select born from customers where born = current_date
select customers.ctid, customers.tableoid from customers
select e from customers c(i, n, e)
select * from (customers join contacts using (phone)) j(p) where p = 'x'
select "select".email from customers "select" where "select".email = U&'\0061' or email = $$x$$ or email = e'\x41'
select x.email from customers x where x.email = (select max(y.email) from customers y)
select c.mobile from contacts c join customers k on c.mobile = k.phone
select coalesce(c.mobile, c.phone), coalesce(c.phone, c.mobile) from contacts c
update customers set phone = (select mobile from contacts limit 1)
update contacts set mobile = phone
select 1 from customers where (email, phone) in (('a','b'),('c',$1))
select 1 from customers where email = any(select email from customers) and email <> all (values ('a'), ('b'))
select c.* , k.label from customers c left join contacts k on k.phone = c.phone and k.label = $1 where c.email = $2 order by c.born limit 10
select c.email as mail, count(*) n from customers c group by mail
select c.email as name, count(*) from customers c group by name
select distinct c.email, c.id from customers c
select c.phone, k.phone from customers c full join contacts k using (phone)
select phone from customers c full join contacts k using (phone)
select phone from customers c right join contacts k using (phone)
select j.phone from customers c join contacts k using (phone) as j
select x.* from (select email, born from customers) x where x.email = 'a' and born > $1
select x.a from (select email from customers) x(a)
select email from (values ('a'), ('b')) v(email)
select v.email from (values ('a'), ('b')) v(email) where v.email in (select email from customers)
with a as (select email from customers), b as (select email e from a where email = $1) select e from b
with customers as (select 1 as email) select email + 1 from customers
with x as (insert into customers (email) values ($1) returning email, id) select email from x
with x as (update customers set email = 'b' returning *) select email, name from x
with x as materialized (delete from customers where phone = 'x' returning phone) select * from x
with recursive r(n, p) as (select 1, phone from customers where id = 1 union select n + 1, k.phone from r join contacts k on k.phone = r.p where n < 5) select n, p from r
with recursive r as (select id, email from customers union all select r.id + 1, r.email from r where r.id < 4) search depth first by id set o cycle id set c using p select * from r
select email, sum(id) over (partition by email), rank() over (order by born), ntile(3) over (order by balance desc nulls first) from customers
select lead(born) over (order by born), last_value(phone) over (order by id rows between unbounded preceding and unbounded following), nth_value(email, 2) over (order by id) from customers
select lag(born, 1, '2000-01-01') over (order by born range between unbounded preceding and current row) from customers
select count(email) filter (where email = 'x'), count(*) filter (where born > '2000-01-01') from customers
select max(born) filter (where id > 3), min(nick), max(nick) over (partition by email) from customers
select min(distinct born) from customers
select percentile_disc(0.5) within group (order by born), mode() within group (order by phone) from customers
select percentile_disc(array[0.5,0.7]) within group (order by born) from customers
select array_agg(born order by born desc), array_agg(phone) from customers
select (array_agg(email))[1] from customers
select any_value(email) from customers
select email from customers group by cube (email, id)
select coalesce(phone, null), coalesce(phone, phone), coalesce(null, email) from customers
select case when id = 1 then phone else phone end, case id when 1 then phone end from customers
select case when id = 1 then 'a' when id = 2 then email end from customers
select nullif(email, phone) from customers
select nullif(points, 5), nullif(born, '2000-01-01'), nullif(code, 'a'), nullif(phone, phone) from customers
select nullif(points, 5.5) from customers
select nullif(balance, 5) from customers
select greatest(balance, 5.5), least(born, date '2000-01-01') from customers
select email = any('{}'), email = any(array[]::text[]), email = any(array[null]), email = any(null::text[]) from customers
select born = any(array['2000-01-01']) from customers
select born = any(array['2000-01-01']::date[]), born = any('{2000-01-01}'::date[]), born = any($1::date[]) from customers
select born < any($1), born >= all($2::date[]) from customers
select points = any($1::int[]) from customers
select email from customers where email = $1::varchar(3)
select email from customers where email = 'abc'::varchar(2)::text
select email from customers where born = '2000-01-01'::timestamp and born = timestamptz '2000-01-01'
select email from customers where balance = 5 and balance = 5::int8 and balance = 1e3 and balance = -0.5 and balance = 0x1F
select 1 from customers where born = 5
select 1 from customers where email = 5::text
select 1 from customers where code = 'ab'::text
select 1 from customers where phone = code
select 1 from customers where email = true
select 1 from customers where active = 'true' and active <> false
select 1 from customers where (born, id) < ('2000-01-01', 3)
select 1 from customers where row(email, phone) is null
select 1 from customers where row(email, born) is distinct from row('a', '2000-01-01')
select 1 from customers where (email, phone) = (select email, phone from customers limit 1)
select 1 from customers c where exists (select 1 from contacts k where k.phone = c.phone and k.email = 'x')
select 1 from customers c where c.id = (select max(k.customer_id) from contacts k where k.phone = c.phone)
select 1 from customers where 'a' in (email, email)
select 1 from customers where email in (select 'a' union select 'b')
select 1 from customers where email not between 'a' and 'b'
select nick from customers where nick between symmetric 'b' and 'a'
select nick from customers where not (nick >= 'a') order by nick using <
select nick from customers where nick like 'a#%%' escape '#'
select nick from customers where nick like 'a%' or nick ilike 'a%'
select nick from customers where nick similar to 'a%'
select nick from customers where nick ~ '^a'
select nick from customers where nick like $1
select nick from customers where starts_with(nick, 'a')
select nick || 'x' from customers
select born + 1 from customers
select extract(year from born) from customers
select born::text from customers
select email::bytea from customers
select email::uuid from customers
select balance::numeric from customers
select balance::numeric(12,2), phone::varchar(24), code::char(4) from customers
select balance::int from customers
select points::bigint from customers
select to_json(email) from customers
select json_build_object('a', email) from customers
select json_object('a': email) from customers
select string_agg(email, ',') from customers
select format('%s', email) from customers
select concat(email) from customers
select email from customers order by lower(email)
select id from customers order by born, email = 'x'
select id from customers order by (select max(born) from customers)
select id, email from customers order by 2
select id e from customers order by e
select email from customers union select email from customers order by email
select born from customers union select born from customers order by born
select born from customers union select '2000-01-01' order by 1 limit 3
select id, born from customers union all (select id, placed from orders)
select born b from customers except select born from customers intersect select '2000-01-01'
select email from customers union select null
select null union select email from customers
select email from customers where id = $1 limit $2
select $1 = email, $1 from customers
select $1::text = email, $1::text from customers
select email = $1, phone = $1, email = $1 from customers
select email = $1, born = $1 from customers
select name = $1 and email = $1 from customers
select label = $1 and phone = $1 from contacts
select id = $1, points = $1 from customers
insert into customers (id, name, email, phone) values ($1, $2, $2, $2) returning *
insert into customers (email) values ($1::varchar), ('x'::varchar(3)), (null::text), (default)
insert into customers default values returning email
insert into customers as c (id, email) values (1, 'x') on conflict on constraint customers_email_key do nothing
insert into customers as c (id, email) values (1, 'x') on conflict (email) where email is not null do update set phone = excluded.phone, email = c.email
insert into customers (id, email) select id, $1 from orders
insert into customers (id, email) select id, 'x' from orders union all select id, $1 from orders
insert into customers (id, born) select 1, '2000-01-01'
insert into customers (id, born) select 1, '2000-01-01' union all select 1, '2000-01-01'
insert into customers (id, born) select id, placed from orders
insert into customers (id, email) values (1, (select email from customers limit 1))
insert into customers (id, email) values (1, (select 'x'))
insert into customers (id, email) values (1, coalesce('x', 'y'))
insert into customers (id, email) values (1, case when true then 'x' else $1 end)
insert into customers (id, email) (values (1, 'x') limit 1)
insert into customers (id, email) with a as (select 'x' as e) select 1, e from a
insert into customers (balance, points, active, code) values ('5', '6', 't', 'a'), (5.5, 6, true, 7)
insert into customers (email, email) values ('a', 'b')
insert into customers (nope) values (1)
insert into customers (id) values (1, 2)
insert into plain_mail (email) values ('x')
insert into plain_mail select id, email from customers
insert into contacts (phone, label) select phone, 'x' from customers
insert into contacts (mobile) select phone from customers
insert into contacts (email) values ('x') returning (select email from customers limit 1)
update customers set email = 'x', id = id + 1 where email = 'y' and phone in ('a', $1) returning id, email
update customers set email = email, phone = k.phone from contacts k where k.customer_id = customers.id
update customers c set email = $1 where c.email = $1
update customers set phone = phone || 'x'
update customers set (email, phone) = row('a', default) where id = 1
update customers set balance = balance + 1
update customers set balance = v.b, email = v.e from (values (1, 10.5, 'x'), (2, $1, $2)) v(i, b, e) where v.i = id
update customers set email = case when id = 1 then 'x' else email end
update customers set email = coalesce($1, email)
update customers set email = nullif($1, '') where id = $2
update customers set born = coalesce(born, $1::date)
update customers set nope = 1
update nope set x = 1
update people set mail = $1, nr = 3 where mail = $2 returning mail, nr
delete from customers
delete from customers c where c.email = any($1) returning c.*
delete from people where mail = 'x'
delete from elders where mail = 'x' returning *
merge into customers c using (values (1, 'x', 'p')) v(i, e, p) on c.id = v.i when matched then update set email = v.e when not matched then insert (id, email) values (v.i, v.e)
merge into customers c using (values (1, 'x')) v(i, e) on c.email = v.e when not matched by source and c.born > '2000-01-01' then delete when matched then do nothing
merge into customers c using contacts k on c.phone = k.phone when matched then update set (phone, email) = (k.phone, 'x') when not matched then insert default values returning old.email, new.*, k.phone
select m.email from people p join customers m on m.email = p.mail
select p.mail from people p, elders e where p.mail = e.mail
select mail, max(born) from people group by mail
select ctid from people
select c.ctid, c.xmin, c.* from customers c where c.ctid = '(0,1)'
select customers from customers
select public.customers.email from public.customers
select p.email from customers p, customers q where p.email = q.email
select 1 from customers, customers
select 1 from customers c, contacts c
select nope.* from customers
select c.nope from customers c
select email.x from customers
select * from customers natural join orders
select * from customers join orders using (nope)
select * from customers cross join lateral (select total from orders o where o.customer_id = customers.id order by total limit 1) t
select c.email from customers c left join lateral (select k.phone from contacts k where k.phone = c.phone) l on true
select c.email from customers c right join lateral (select c.phone) l on true
select * from orders o where o.total > 5 and exists (select from customers where born < '2000-01-01')
select g.g, email from customers, generate_series(1, id) as g
select t.a, email from customers, unnest(array[1,2]) as t(a)
select t.a, t.o, email from customers, unnest(array[1,2]) with ordinality t(a, o)
select email, k from customers, json_to_record('{}') as x(k int)
select email, key from customers, json_each('{}')
select x.k from customers, rows from (json_to_record('{}') as (k int), generate_series(1,2)) x
select id from customers where id in (select key::int from json_each('{}') where email = 'x')
select unnest(array_agg(email)) from customers
select array_length(array_agg(email), 1) from customers
select email from customers where array[email] = array['x']
select email from customers where array[email] && array['x']
select email from customers where email = any(array[email, 'x', $1])
select current_user, email, current_date, now() from customers
select xmlelement(name a, email) from customers
select email is true from customers
select active is true from customers
select active and true from customers
select not active from customers
select case when active then 1 end from customers
select case active when true then 1 end from customers
select count(distinct (email, born)) from customers
select count(distinct notes) from customers
select count(notes), count(*) from customers
select email from customers having count(*) > 1
select email from customers group by email having email = 'x' and min(born) > '2000-01-01'
select row(email, 1) from customers
select array(select born from customers order by born)
select row(c.*) from customers c
select c.*::text from customers c
select c::text from customers c
select (select c from customers c)
select 1 from customers c, customers d where c = d
select 1 from customers c where c is not null
select email from only customers
select email from customers for no key update of customers skip locked
select notes from customers where notes in ('x')
select notes from customers where notes is distinct from null
select distinct notes from customers
select notes, count(*) from customers group by notes
select notes from customers order by notes
select coalesce(notes, 'none') from customers
select coalesce(notes, email) from customers
select 1 from customers where email = (select 'x')
select 1 from customers where email = (select $1)
select 1 from customers where email = (select 'x' from orders limit 1)
select (select 'x') = email from customers
values ((select email from customers limit 1)), ('x'), ($1)
select * from (values ((select email from customers limit 1), 1), ('x', 2)) v(e, n) where e = 'y'
select email from customers order by born fetch first 3 rows with ties
select email from customers order by id fetch first $1 rows with ties
select email, lower(name) as l from customers order by l
select id, email as id from customers order by id
select 1 from customers where email = 'a' collate "C"
select email as "E mail", 'x' as email from customers
select 'x' || name, email from customers where upper(name) = 'X'
select 'x'::text, 'y', $1::int, 5 from customers where email = 'z'
select date '2000-01-01' from customers where email = 'z' and born = date '2000-01-01'
select "Email" from customers
select email from "customers" "C" where "C".email = 'x'
with recursive r(n, e) as (select 1, email from customers union all select n + 1, coalesce(r.e, 'x') from r where n < 3) select e from r where e = 'a'
with recursive r(n, e) as (select 1, email from customers union all select n + 1, 'x' from r where n < 3) select * from r
with recursive r as (select min(id) as n, min(born) as b from customers union all select n + 1, min(k.born) over () from r, customers k where n < 3) select * from r
with recursive r(n, e) as (values (1, 'a') union all select n + 1, email from customers, r where n < 3) select * from r
select coalesce(v.e, 'y') from customers c, (values ('a')) v(e) where v.e = c.email
select a.e from (select e from (values ('a')) v(e) union all select 'b') a(e) join customers c on c.email = a.e
select 1 from customers c where c in (select d from customers d)
with recursive a as (select * from b), b as (select email from customers) select * from a
with b as (select 1 as x), a as (select * from b) select a.x, email from a, customers
select email from customers where id = (with q as (select id from contacts where phone = 'x') select id from q limit 1)
select 'x' from customers union all select email from customers
select 'x'::varchar, $1, $2::text from customers union all select email, phone, nick from customers
select null::text, null from customers union all select email, phone from customers
with recursive r(n, e) as (select 1, $1::text union all select n + 1, email from customers, r where n < 3) select * from r
select coalesce(phone, $1), greatest(born, $2), case when id = 1 then points else $3 end from customers
select lag(phone, 1, $1) over (order by id), lag(born, $2, $3) over (order by id) from customers
select email from customers where (select $1) = email
select e from (select $1 as e union all select email from customers) x where e = $2
values ($1), ((select email from customers limit 1))
select array[email, $1], array['a', email] from customers
select email from customers where email = any (array[$1, $2]) and phone = any (array[$3::varchar])
select email from customers where email = any (select $1)
select email from customers where ($1, $2) = (email, id)
select email from customers where (email, id) in (($1, $2), ($3, 5))
select email from customers where $1 in (email, nick)
select 1 from customers where born between $1 and $2 and points in ($3, 5) and phone in ($4, $5)
select 1 from customers where balance in ($1, 5)
select 1 from customers where $1 = born
select nullif(email, $1), nullif(points, $2), nullif(phone, $3) from customers
insert into customers (id, email, phone, born, balance, points, active, code) values ($1, $2, $3, $4, $5, $6, $7, $8)
insert into customers (phone) select $1
insert into customers (phone) select $1 union all select $2
insert into customers (id, phone) select v.* from (values (1, $1)) v
update customers set phone = $1, born = $2 where phone = $3
update customers set phone = case when id = 1 then $1 else phone end
update customers set born = coalesce($1, born), email = coalesce($2, email) where id = $3
update customers set phone = v.p from (values ($1::int, $2), ($3, $4)) v(i, p) where id = v.i
insert into customers (id, email) values ($1, $2) on conflict (email) do update set phone = $2
merge into customers c using (values ($1::int, $2)) v(i, e) on c.id = v.i when matched then update set email = v.e, phone = $3 when not matched then insert (id, email) values (v.i, v.e)
select c.email as email, o.total from customers c left join orders o on o.customer_id = c.id and c.email = $1 where o.placed > $2 and c.born > $3
select count(*) from customers where email = $1 and (phone = $2 or $2 is null)
select email from customers where phone = $1 and $1 is not null and $1 <> ''
select distinct on (born) born, email from customers order by born, id
select born, count(*) from customers group by born order by born
select born, count(*) from customers group by born order by count(*) desc, 1
select date_trunc('month', born) from customers
select email from customers order by random()
select email, row_number() over () as rn from customers order by rn
select * from (select email, rank() over (order by born) r from customers) x where r < 3
select k.phone, (select c.email from customers c where c.phone = k.phone limit 1) e from contacts k
select exists(select 1 from customers where email = $1)
select exists(select 1 from customers where email = $1) as "found" limit 1
select true from customers where not exists (select 1 from contacts where contacts.phone = customers.phone)
table customers
select all email from customers
select customers.* from customers
select "customers"."email" as "customers_email", "customers"."id" as "customers_id" from "customers" where "customers"."email" = $1::varchar limit $2::int
select customers.email from customers where customers.email in ($1::varchar, $2::varchar)
select anon_1.email from (select customers.email as email from customers limit 1) as anon_1 left outer join contacts as contacts_1 on anon_1.email = contacts_1.label
insert into contacts (id, phone) values ($1::int, $2::varchar) returning contacts.id, contacts.phone
insert into contacts (customer_id, phone) select p0::int, p1::varchar from (values ($1, $2, 0), ($3, $4, 1)) as imp_sen(p0, p1, sen_counter) order by sen_counter returning contacts.id
update contacts set phone = $1::varchar where contacts.id = $2::int
insert into contacts (customer_id, phone) select p0::int, p1::varchar from (values ($1, $2, 0), ($3, $4, 1)) as imp_sen(p0, p1, sen_counter) order by sen_counter returning contacts.id
insert into contacts (customer_id, phone) select p0::int, p1::varchar from (values ($1::int, $2::varchar, 0), ($3::int, $4::varchar, 1)) as imp_sen(p0, p1, sen_counter) order by sen_counter returning contacts.id, contacts.id as id__1
insert into customers (id, born, balance, points) select p0::int, p1::date, p2::numeric(12, 2), p3::bigint from (values ($1, $2, $3, $4, 0)) as imp_sen(p0, p1, p2, p3, sen_counter) order by sen_counter
insert into customers (id, email) select x.a::int, x.b::text from (select p.a, p.b::varchar from (values ('1', 'x')) p(a, b)) x
update customers set phone = case when id = 1 then $1 else phone end
update customers set phone = coalesce($1, phone), email = v.e::text from (values (1, 'a')) v(i, e) where v.i = id
update customers set phone = v.p::varchar(10) from (values (1, 'a')) v(i, p) where v.i = id
update customers set email = v.e, name = v.e::text from (values (1, 'a')) v(i, e) where v.i = id
update customers set email = v.e::text from (values (1, 'a')) v(i, e) where v.e = email
select v.e::varchar from (values ('a')) v(e) join customers on email = v.e
select v.e::varchar from (values ('a')) v(e) join customers on email = v.e::text
select v.e from (values ('a')) v(e) join customers on email = v.e::text
update contacts set phone = coalesce(mobile, phone)
update contacts set mobile = coalesce(mobile, phone)
update contacts set phone = (select max(phone) from customers)
select c.id from customers c where c.born = (select v.d::date from (values ('2000-01-01')) v(d))
with data(i, e) as (values ($1::int, $2::text)) update customers set email = data.e from data where customers.id = data.i
with data(i, e) as (select $1::int, $2::text) insert into customers (id, email) select i, e from data on conflict (email) do nothing returning id
with data as (select unnest($1::int[]) i, unnest($2::text[]) e) insert into customers (id, email) select i, e from data
select v.e::varchar from (values ('a')) v(e), customers where email = v.e
merge into customers c using (values (1, 'x')) v(i, e) on c.id = v.i when matched then update set email = v.e::text when not matched then insert (id, email) values (v.i, v.e::text)
merge into customers c using (values (1, 'x')) v(i, e) on c.id = v.i when matched then update set email = v.e when not matched then insert (id, email) values (v.i, v.e::text)
update customers set nick = 'x' where nick like 'a%' and born <> all('{2000-01-01,2001-01-01}'::date[])
select from customers where email = 'x'
select 1 from customers, current_date d where born < '2000-01-01'
insert into contacts (phone) table contacts
insert into contacts (id, phone) select id, phone from customers c where not exists (select 1 from contacts k where k.phone = c.phone) and c.email like 'x'
select c.id from customers c full join contacts k using (phone) where k.mobile = 'x' or phone = 'y'
select id, active and id > 3, not active, active or name is null, active is true, active is not false, active is unknown from customers
select id, case when active then email end, count(*) filter (where active) over () from customers where active or id = 3
select c.id from customers c join contacts k on c.active and k.id = c.id where not (c.active) order by c.id
delete from customers where active is not true returning id
update contacts set phone = $1 where email = $2 and phone <> $1
update contacts set phone = $1 where id = 1 returning phone = $1
merge into contacts using customers c on contacts.id = c.id when matched and contacts.phone = $1 then update set phone = $1
merge into contacts using customers c on contacts.id = c.id when matched then update set phone = $1 returning contacts.phone = $1
insert into contacts (phone) values ($1) returning phone = $1
select coalesce(phone, $1), greatest(nick, $2), lag(phone, 1, $3) over (), array[phone, $4] from customers
select phone from customers union select $1
select phone from customers where phone in ($1, 'x') or (phone, email) = ($2, $3)
select (s.r).email, (s.r).born from (select c as r from customers c) s
select (s.r).* from (select c as r from customers c) s
with x as (select c as r from customers c) select (r).email, (select c from customers c limit 1).phone from x
select (s).email, (c).email, (c.*).phone from (select email from customers) s, customers c
select c.email from customers c join contacts k on k.customer_id = c.id for share of c nowait
select c.email from customers c join (select id from contacts) k on k.id = c.id where c.email = 'a' for update of c skip locked
select id from customers where email = N'ann' or email = 'x '::char(9) or email in (N'a', 'b') or nick > 'x'::bpchar
select id from customers where phone = N'ann'
select id from customers where nick like 'a%' and id > 1 and nick like 'ab%' and email = 'x'
select id from customers where id = 2 and nick like 'a%' or nick not like 'a%' or id = 3
select id from customers where not (nick like 'a%' and id > 1) and (nick not like 'a%' or nick not like 'x%' or active)
select id from customers where nick like '%' and email like '%%' order by id
select id from customers where nick not like '%' or email not like '%'
select id from customers where nick like $1 and email like $2 and nick not like $1 || '%'
select id from customers where email::text like $1::text and nick like $2::varchar || '%' and id = $3
select id from customers where name = $1 or nick like $1 || '%'
select id from customers where nick like 'a' || '%' and nick like 'a%'::text and nick not like 'a' || 'b' || '%' and email like 'a'::text || 'b'
