--! theme Chinook: an analyst's questions

--# Invoices
--! same
SELECT count(*) FROM invoice WHERE total > 10;
--! same
SELECT invoice_id, total FROM invoice ORDER BY total DESC, invoice_id LIMIT 10;
--! same
SELECT min(total), max(total) FROM invoice;
--! same
SELECT invoice_id FROM invoice WHERE total BETWEEN 1 AND 2;
--! same
SELECT invoice_id FROM invoice WHERE total = 1.98;
--! same
SELECT invoice_id FROM invoice WHERE total IN (1.98, 3.96, 13.86);
--! same
SELECT invoice_id FROM invoice WHERE total >= 8.905 AND total < 8.915;
--! same
SELECT total, count(*) FROM invoice GROUP BY total ORDER BY total;
--! same
SELECT total, count(*) AS n FROM invoice GROUP BY total HAVING count(*) > 20 ORDER BY n DESC, total;
--! same
SELECT billing_country, max(total) FROM invoice GROUP BY billing_country ORDER BY 2 DESC, 1;
--! same
SELECT billing_city, count(*) FROM invoice GROUP BY billing_city;
--! same
SELECT billing_city, max(total) AS most FROM invoice GROUP BY billing_city ORDER BY most DESC, min(invoice_id) FETCH FIRST 1 ROW ONLY;
--! same
SELECT extract(year FROM invoice_date) AS year, count(*), max(total) FROM invoice GROUP BY 1 ORDER BY 1;
--! same
SELECT date_trunc('month', invoice_date) AS month, count(*) FILTER (WHERE total > 5) FROM invoice GROUP BY 1 ORDER BY 1;
--! same
SELECT customer_id, count(*) AS invoices, max(total), min(total) FROM invoice GROUP BY customer_id ORDER BY invoices DESC, customer_id;
--! same
SELECT i.invoice_id, c.last_name FROM invoice i JOIN customer c USING (customer_id) WHERE i.total > 15;
--! same
SELECT i.invoice_id, c.email FROM invoice i JOIN customer c USING (customer_id) WHERE c.city = i.billing_city AND i.invoice_id < 50;
--! same
SELECT i.invoice_id FROM invoice i JOIN customer c USING (customer_id) WHERE c.city <> i.billing_city;
--! same
SELECT c.customer_id, c.last_name, max(i.total) FROM customer c LEFT JOIN invoice i USING (customer_id) GROUP BY c.customer_id ORDER BY 3 DESC NULLS LAST, 1;
--! same
SELECT c.customer_id FROM customer c WHERE NOT EXISTS (SELECT 1 FROM invoice i WHERE i.customer_id = c.customer_id AND i.total > 13);
--! same
SELECT c.customer_id FROM customer c WHERE c.customer_id IN (SELECT customer_id FROM invoice WHERE total > 20);
--! same
SELECT DISTINCT ON (customer_id) customer_id, invoice_id, total FROM invoice ORDER BY customer_id, total DESC, invoice_id;
--! same
SELECT DISTINCT ON (billing_country) billing_country, billing_city FROM invoice ORDER BY billing_country, invoice_id;
--! same
SELECT * FROM (SELECT invoice_id, total, row_number() OVER (PARTITION BY billing_country ORDER BY total DESC, invoice_id) AS r FROM invoice) s WHERE r = 1;
--! same
SELECT invoice_id, ntile(4) OVER (ORDER BY total, invoice_id) AS quartile FROM invoice;
--! same
SELECT invoice_id, rank() OVER (ORDER BY total DESC), dense_rank() OVER (ORDER BY total DESC) FROM invoice;
--! same
SELECT invoice_id, first_value(total) OVER (PARTITION BY customer_id ORDER BY invoice_id) FROM invoice;
--! same
SELECT invoice_id, lead(total) OVER (PARTITION BY customer_id ORDER BY invoice_date) AS next FROM invoice;
--! same
SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY total) AS median FROM invoice;
--! same
SELECT percentile_disc(0.9) WITHIN GROUP (ORDER BY total) FROM invoice WHERE billing_country = 'USA';
--! same
SELECT billing_country, array_agg(total ORDER BY invoice_id) FROM invoice GROUP BY billing_country;
--! same
SELECT i.* FROM invoice i WHERE i.total = (SELECT max(total) FROM invoice);
--! same
SELECT i.invoice_id FROM invoice i WHERE i.total > (SELECT min(j.total) FROM invoice j WHERE j.customer_id = i.customer_id) AND i.invoice_id < 40;
--! same
SELECT a.invoice_id, b.invoice_id FROM invoice a JOIN invoice b ON a.customer_id = b.customer_id AND a.total < b.total WHERE a.invoice_id < 20;
--! same
SELECT total FROM invoice WHERE billing_country = 'Germany' INTERSECT SELECT total FROM invoice WHERE billing_country = 'France';
--! same
SELECT total FROM invoice WHERE billing_country = 'USA' EXCEPT SELECT total FROM invoice WHERE billing_country = 'Canada' ORDER BY total;
--! same
SELECT city FROM customer UNION SELECT billing_city FROM invoice;
--! same
SELECT city FROM customer UNION SELECT city FROM employee;
--! same
SELECT city FROM customer EXCEPT SELECT city FROM employee;
--! same
SELECT email FROM customer UNION ALL SELECT email FROM employee;
--! same
SELECT phone FROM customer INTERSECT SELECT phone FROM employee;
--! same
SELECT count(*) FROM invoice WHERE billing_address IS NULL;
--! same
SELECT invoice_id, billing_address, billing_city FROM invoice WHERE invoice_id < 5;
--! same
SELECT billing_country, count(*) FILTER (WHERE total >= 10) AS large, count(*) FILTER (WHERE total < 10) AS small FROM invoice GROUP BY billing_country ORDER BY billing_country;
--! same
SELECT CASE WHEN total < 2 THEN 'small' WHEN total < 10 THEN 'medium' ELSE 'large' END AS size, count(*) FROM invoice GROUP BY 1 ORDER BY 1;
--! same
SELECT billing_country, billing_city, count(*) FROM invoice GROUP BY ROLLUP (billing_country, billing_city);
--! same
SELECT greatest(total, 5) AS at_least, invoice_id FROM invoice WHERE invoice_id < 20;
--! same
WITH best AS (SELECT customer_id, max(total) AS most FROM invoice GROUP BY customer_id) SELECT c.last_name, b.most FROM best b JOIN customer c USING (customer_id) WHERE b.most > 15 ORDER BY b.most DESC, c.customer_id;
--! same
WITH big AS (SELECT * FROM invoice WHERE total > 10) SELECT count(*), count(DISTINCT customer_id), count(DISTINCT billing_city) FROM big;
--! same
WITH last AS (SELECT DISTINCT ON (customer_id) customer_id, invoice_date, total FROM invoice ORDER BY customer_id, invoice_date DESC) SELECT c.email, l.total FROM last l JOIN customer c USING (customer_id);
--! same
SELECT c.customer_id, i.total FROM customer c CROSS JOIN LATERAL (SELECT total FROM invoice WHERE customer_id = c.customer_id ORDER BY total DESC, invoice_id LIMIT 2) i;
--! same
SELECT invoice_date, total FROM invoice WHERE total > ALL (SELECT total FROM invoice WHERE billing_country = 'USA');
--! same
SELECT customer_id FROM invoice GROUP BY customer_id HAVING max(total) > 15 AND min(total) < 1;
--! same
SELECT e.employee_id, max(i.total) FROM employee e JOIN customer c ON c.support_rep_id = e.employee_id JOIN invoice i USING (customer_id) GROUP BY e.employee_id;
--! same
--$ ? 10
SELECT count(*) FROM invoice WHERE total > $1;
--! same
--$ numeric 1.98
--$ ? Germany
SELECT invoice_id FROM invoice WHERE total = $1 AND billing_country = $2;
--! same
--$ ? 1
--$ ? 2
SELECT invoice_id FROM invoice WHERE total BETWEEN $1 AND $2 ORDER BY total, invoice_id LIMIT 5;
--! same
--$ ? Stuttgart
SELECT invoice_id, total FROM invoice WHERE billing_city = $1;
--! refused aggregate
SELECT sum(total) FROM invoice;
--! refused aggregate
SELECT billing_country, sum(total) AS revenue FROM invoice GROUP BY billing_country ORDER BY revenue DESC;
--! refused aggregate
SELECT avg(total) FROM invoice;
--! refused aggregate
SELECT c.customer_id, sum(i.total) FROM customer c JOIN invoice i USING (customer_id) GROUP BY c.customer_id;
--! refused aggregate
SELECT invoice_date, sum(total) OVER (ORDER BY invoice_date, invoice_id) FROM invoice;
--! refused function
SELECT round(total) FROM invoice;
--! refused order
SELECT billing_city, count(*) FROM invoice GROUP BY billing_city ORDER BY billing_city;

--# Lines
--! same
SELECT quantity, count(*) FROM invoice_line GROUP BY quantity ORDER BY quantity;
--! same
SELECT unit_price, count(*) FROM invoice_line GROUP BY unit_price ORDER BY 1;
--! same
SELECT t.name, l.unit_price FROM invoice_line l JOIN track t USING (track_id) WHERE l.unit_price > 1 ORDER BY l.invoice_line_id LIMIT 20;
--! same
SELECT g.name, count(*) FROM invoice_line l JOIN track t USING (track_id) JOIN genre g USING (genre_id) GROUP BY g.name ORDER BY 2 DESC, 1;
--! same
SELECT a.name, count(*) AS sold FROM invoice_line JOIN track USING (track_id) JOIN album USING (album_id) JOIN artist a USING (artist_id) GROUP BY a.artist_id, a.name ORDER BY sold DESC, a.name LIMIT 10;
--! same
SELECT i.invoice_id, i.total, count(l.invoice_line_id) FROM invoice i JOIN invoice_line l USING (invoice_id) GROUP BY i.invoice_id ORDER BY i.total DESC, i.invoice_id LIMIT 10;
--! same
SELECT i.invoice_id, max(l.unit_price), min(l.quantity) FROM invoice i JOIN invoice_line l USING (invoice_id) GROUP BY i.invoice_id ORDER BY 1 LIMIT 20;
--! same
SELECT DISTINCT t.media_type_id, l.unit_price FROM invoice_line l JOIN track t USING (track_id) ORDER BY 1, 2;
--! same
SELECT track_id FROM track WHERE NOT EXISTS (SELECT 1 FROM invoice_line l WHERE l.track_id = track.track_id AND l.unit_price > 0.99) AND unit_price > 0.99 ORDER BY 1;
--! same
SELECT c.email, t.name FROM customer c JOIN invoice USING (customer_id) JOIN invoice_line USING (invoice_id) JOIN track t USING (track_id) WHERE c.email = 'luisg@embraer.com.br' ORDER BY t.name, invoice_line_id;
--! same
SELECT c.country, g.name, count(*) AS n FROM customer c JOIN invoice i USING (customer_id) JOIN invoice_line l USING (invoice_id) JOIN track t USING (track_id) JOIN genre g USING (genre_id) WHERE l.quantity >= 1 GROUP BY c.country, g.name HAVING count(*) > 20 ORDER BY 3 DESC, 1, 2;
--! same
SELECT count(*) FROM invoice_line WHERE quantity > 1;
--! same
SELECT count(*) FROM invoice_line WHERE quantity = 1 AND unit_price = 0.99;
--! same
SELECT invoice_line_id FROM invoice_line WHERE unit_price > 0.99::numeric ORDER BY unit_price DESC, invoice_line_id LIMIT 15;
--! refused arithmetic
SELECT sum(unit_price * quantity) FROM invoice_line;
--! refused arithmetic
SELECT invoice_line_id, unit_price * quantity AS amount FROM invoice_line;
--! refused aggregate
SELECT sum(quantity) FROM invoice_line;
--! refused sealed with plain
SELECT count(*) FROM invoice_line l JOIN track t USING (track_id) WHERE l.unit_price <> t.unit_price;
