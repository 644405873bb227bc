// pgjdbc with sealed columns: unnamed and server-prepared statements, binary transfer, batches (also rewritten into one
// INSERT), fetch size, CopyManager, savepoints, autosave. Run with `java -cp postgresql.jar Shop.java`; settings: PG*.

import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.UUID;
import org.postgresql.PGConnection;
import org.postgresql.util.PGobject;
import org.postgresql.util.PSQLException;

public class Shop {
    static final String EMAIL = "ada.canary@mail.example";
    static final LocalDate BORN = LocalDate.of(1815, 12, 10);
    static final OffsetDateTime SEEN = OffsetDateTime.parse("2024-05-06T07:08:09.123456Z");
    static final UUID TOKEN = UUID.fromString("c0ffee00-ca9a-4ee1-8000-0123456789ab");
    static final byte[] PHOTO = "\0canaryphoto\u00ff".getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    static final String NOTES = "met Mr Babbage at the canary soir\u00e9e";

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connect(Map.of())) {
            create(connection);
            insert(connection);
            select(connection);
            updateAndJoin(connection);
            batch(connection, 100);
            copy(connection);
            metadata(connection);
            errors(connection);
            System.out.println("client: pgjdbc " + connection.getMetaData().getDriverVersion() + " java "
                + System.getProperty("java.version"));
        }
        // The other ways that the driver has of saying the same.
        for (String mode : List.of("extended", "extendedForPrepared", "extendedCacheEverything", "simple")) {
            for (String binary : List.of("true", "false")) {
                Map<String, String> options = Map.of("preferQueryMode", mode, "binaryTransfer", binary, "prepareThreshold", "1",
                    "reWriteBatchedInserts", binary, "defaultRowFetchSize", "7", "autosave", "conservative");
                try (Connection connection = connect(options)) {
                    select(connection);
                    connection.createStatement().execute("DELETE FROM people WHERE id >= 300");
                    batch(connection, 300);
                    errors(connection);
                    connection.createStatement().execute("DELETE FROM people WHERE id >= 300");
                } catch (Exception | AssertionError error) {
                    throw new AssertionError("with " + options, error);
                }
            }
        }
    }

    static Connection connect(Map<String, String> options) throws SQLException {
        Properties properties = new Properties();
        properties.putAll(options);
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("sslmode", System.getenv("PGSSLMODE"));
        return DriverManager.getConnection("jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT")
            + "/" + System.getenv("PGDATABASE"), properties);
    }

    static void create(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("CREATE TABLE people (id integer PRIMARY KEY, name varchar(80), email varchar(120) UNIQUE, "
                + "born date, balance numeric(12,2), visits integer, seen timestamptz, token uuid, photo bytea, "
                + "profile jsonb, notes text, city text); CREATE INDEX ON people (born)");
            statement.execute("CREATE TABLE orders (id serial PRIMARY KEY, email varchar(120) REFERENCES people (email), "
                + "total numeric(12,2))");
        }
    }

    static void insert(Connection connection) throws SQLException {
        PGobject profile = new PGobject();
        profile.setType("jsonb");
        profile.setValue("{\"hobby\": \"canary breeding\"}");
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO people VALUES (?,?,?,?,?,?,?,?,?,?,?,?)")) {
            statement.setInt(1, 1);
            statement.setString(2, "Ada Canary-Lovelace");
            statement.setString(3, EMAIL);
            statement.setObject(4, BORN);
            statement.setBigDecimal(5, new BigDecimal("98765.43"));
            statement.setInt(6, 4711);
            statement.setObject(7, SEEN);
            statement.setObject(8, TOKEN);
            statement.setBytes(9, PHOTO);
            statement.setObject(10, profile);
            statement.setString(11, NOTES);
            statement.setString(12, "London");
            equal(1, statement.executeUpdate());
        }
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("INSERT INTO people (id, name, email, born, balance) VALUES "
                + "(2, 'Grace Canary-Hopper', 'grace.canary@mail.example', '1906-12-09', 12.50)", Statement.RETURN_GENERATED_KEYS);
            ResultSet keys = statement.getGeneratedKeys();
            check(keys.next());
            equal("Grace Canary-Hopper", keys.getString("name"));
        }
    }

    static void select(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT * FROM people WHERE email = ?")) {
            for (int round = 0; round < 8; round++) { // after the fifth it is prepared on the server and binary
                statement.setString(1, EMAIL);
                ResultSet row = statement.executeQuery();
                check(row.next());
                equal("Ada Canary-Lovelace", row.getString("name"));
                equal(EMAIL, row.getString("email"));
                equal(BORN, row.getObject("born", LocalDate.class));
                equal(4711, row.getInt("visits"));
                equal(SEEN.toInstant(), row.getObject("seen", OffsetDateTime.class).toInstant());
                equal(TOKEN, row.getObject("token"));
                check(Arrays.equals(PHOTO, row.getBytes("photo")));
                equal("{\"hobby\": \"canary breeding\"}", row.getString("profile"));
                equal("London", row.getString("city"));
                check(!row.next());
            }
        }
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT id FROM people WHERE born BETWEEN ? AND ? ORDER BY born DESC")) {
            statement.setDate(1, Date.valueOf(BORN));
            statement.setDate(2, Date.valueOf("1950-01-01"));
            equal(List.of(2, 1), ids(statement.executeQuery()));
        }
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT id FROM people WHERE token = ? AND seen >= ? AND visits > ?")) {
            for (int round = 0; round < 8; round++) {
                statement.setObject(1, TOKEN);
                statement.setObject(2, SEEN);
                statement.setInt(3, 4710);
                equal(List.of(1), ids(statement.executeQuery()));
            }
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT id FROM people WHERE email = ANY (?)")) {
            for (int round = 0; round < 8; round++) {
                statement.setArray(1, connection.createArrayOf("varchar", new Object[] {EMAIL, "nobody.canary@mail.example"}));
                equal(List.of(1), ids(statement.executeQuery()));
            }
        }
        try (Statement statement = connection.createStatement()) {
            equal(List.of(1, 2), ids(statement.executeQuery("SELECT id FROM people WHERE email IN "
                + "('ada.canary@mail.example', 'grace.canary@mail.example') ORDER BY id")));
        }
        connection.setAutoCommit(false); // portals with a row limit need a transaction
        try (PreparedStatement statement = connection.prepareStatement("SELECT email FROM people WHERE id BETWEEN 100 AND 129")) {
            statement.setFetchSize(7);
            for (int round = 0; round < 7; round++) {
                ResultSet rows = statement.executeQuery();
                int count = 0;
                while (rows.next()) {
                    check(rows.getString(1).endsWith(".canary@mail.example"));
                    count++;
                }
                check(count == 0 || count == 30);
            }
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void updateAndJoin(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "UPDATE people SET balance = ?, notes = ? WHERE email = ? RETURNING balance")) {
            statement.setDouble(1, 31337.25);
            statement.setNull(2, Types.VARCHAR);
            statement.setString(3, EMAIL);
            ResultSet row = statement.executeQuery();
            check(row.next());
            equal(new BigDecimal("31337.25"), row.getBigDecimal(1));
        }
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO orders (email, total) VALUES (?, ?)",
                new String[] {"id"})) {
            for (String total : List.of("10", "20.25")) {
                statement.setString(1, EMAIL);
                statement.setBigDecimal(2, new BigDecimal(total));
                statement.executeUpdate();
                check(statement.getGeneratedKeys().next());
            }
        }
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT p.name, o.total FROM people p JOIN orders o ON o.email = p.email WHERE o.total > ?")) {
            statement.setInt(1, 15);
            ResultSet row = statement.executeQuery();
            check(row.next());
            equal("Ada Canary-Lovelace", row.getString(1));
            equal(new BigDecimal("20.25"), row.getBigDecimal(2));
        }
    }

    static void batch(Connection connection, int first) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("INSERT INTO people (id, email, born) VALUES (?, ?, ?)")) {
            for (int n = first; n < first + 30; n++) {
                statement.setInt(1, n);
                statement.setString(2, "batch" + n + ".canary@mail.example");
                statement.setObject(3, LocalDate.of(2000, 1, 1).plusDays(n));
                statement.addBatch();
            }
            equal(30, statement.executeBatch().length);
        }
        try (PreparedStatement statement = connection.prepareStatement("SELECT email FROM people WHERE id >= ? AND id < ? ORDER BY born")) {
            statement.setInt(1, first);
            statement.setInt(2, first + 30);
            ResultSet rows = statement.executeQuery();
            for (int n = first; n < first + 30; n++) {
                check(rows.next());
                equal("batch" + n + ".canary@mail.example", rows.getString(1));
            }
        }
    }

    static void copy(Connection connection) throws Exception {
        StringBuilder lines = new StringBuilder();
        for (int n = 200; n < 220; n++) {
            lines.append(String.format("%d\tcopy%d.canary@mail.example\t1990-01-%02d\n", n, n, n - 199));
        }
        var copies = connection.unwrap(PGConnection.class).getCopyAPI();
        equal(20L, copies.copyIn("COPY people (id, email, born) FROM STDIN", new StringReader(lines.toString())));
        StringWriter out = new StringWriter();
        copies.copyOut("COPY (SELECT id, email, born FROM people WHERE id BETWEEN 200 AND 219 ORDER BY id) TO STDOUT", out);
        equal(lines.toString(), out.toString());
    }

    static void metadata(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(
                "SELECT name, born, balance, token, photo FROM people WHERE email = ?")) {
            equal(List.of("varchar", "date", "numeric", "uuid", "bytea"), typeNames(statement.getMetaData()));
            equal(80, statement.getMetaData().getPrecision(1));
            equal(12, statement.getMetaData().getPrecision(3));
            equal(2, statement.getMetaData().getScale(3));
            equal(1, statement.getParameterMetaData().getParameterCount());
            check(List.of("varchar", "text").contains(statement.getParameterMetaData().getParameterTypeName(1)));
        }
    }

    static List<String> typeNames(java.sql.ResultSetMetaData meta) throws SQLException {
        List<String> names = new ArrayList<>();
        for (int column = 1; column <= meta.getColumnCount(); column++) {
            names.add(meta.getColumnTypeName(column));
        }
        return names;
    }

    static void errors(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        var before = connection.setSavepoint("before");
        PSQLException twice = errorOf(connection, "INSERT INTO people (id, email) VALUES (3, ?)", EMAIL);
        equal("23505", twice.getSQLState());
        equal("people_email_key", twice.getServerErrorMessage().getConstraint());
        connection.rollback(before);
        PSQLException refused = errorOf(connection, "SELECT id FROM people WHERE notes LIKE ?", "%at the canary soir%");
        equal("0A000", refused.getSQLState());
        check(refused.getMessage().contains("public.people.notes"));
        check(refused.getServerErrorMessage().getHint() != null);
        connection.rollback(before);
        equal("22001", errorOf(connection, "INSERT INTO people (id, name) VALUES (3, ?)", "Canary-Hopper".repeat(10)).getSQLState());
        connection.rollback();

        connection.setAutoCommit(true);
        boolean tablesChange = System.getenv("POOLED") == null; // a pooler may keep what it has prepared for good
        try (Statement statement = connection.createStatement();
                PreparedStatement all = connection.prepareStatement("SELECT * FROM people WHERE id = ?")) {
            statement.execute("INSERT INTO people (id, email) VALUES (3, 'third.canary@mail.example')");
            all.setInt(1, 3);
            for (int round = 0; round < 12; round++) { // a table that changes under a prepared statement
                if (tablesChange && (round == 6 || round == 9)) {
                    statement.execute(round == 6 ? "ALTER TABLE people ADD COLUMN extra text" : "ALTER TABLE people DROP COLUMN extra");
                }
                ResultSet row;
                try {
                    row = all.executeQuery();
                } catch (SQLException error) { // what the driver does where it may not try again by itself
                    check(error.getMessage().contains("cached plan must not change result type"));
                    row = all.executeQuery();
                }
                check(row.next());
                equal("third.canary@mail.example", row.getString("email"));
                equal(tablesChange && round >= 6 && round < 9 ? 13 : 12, row.getMetaData().getColumnCount());
            }
            equal(1, statement.executeUpdate("DELETE FROM people WHERE email = 'third.canary@mail.example'"));
        }
    }

    static PSQLException errorOf(Connection connection, String sql, String value) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            statement.setString(1, value);
            statement.execute();
        } catch (PSQLException error) {
            return error;
        }
        throw new AssertionError("no error: " + sql);
    }

    static List<Integer> ids(ResultSet rows) throws SQLException {
        List<Integer> found = new ArrayList<>();
        while (rows.next()) {
            found.add(rows.getInt("id"));
        }
        return found;
    }

    static void equal(Object expected, Object got) {
        if (!expected.equals(got)) {
            throw new AssertionError("expected " + expected + ", got " + got);
        }
    }

    static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
