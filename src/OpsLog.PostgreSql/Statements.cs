namespace OpsLog.PostgreSql;

/// <summary>
/// The SQL. An object is a row of <c>opslog_objects</c> and the pieces of its bytes in <c>opslog_pieces</c>. <c>id</c> is drawn with each put, so pieces of different contents
/// never mix; <c>version</c> is drawn with each change.
/// </summary>
/// <remarks>
/// Statements that replace or delete come behind <see cref="Lock"/> in one implicit transaction: they then begin with the row locked, and see every piece that it has. All
/// work at any isolation level; at those above READ COMMITTED a lost race may also show as a serialization failure, which is tried again.
/// </remarks>
internal sealed class Statements
{
    // Where a server or role has it off, a commit would be acknowledged before it is on disk, and readers could see what a restart takes back. And the server
    // is to say if it did not wait for its standby, whatever the role wants to hear.
    private const string Synchronous =
        "set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true), "
        + "set_config('client_min_messages', 'warning', true)";

    public Statements(string schema)
    {
        var quoted = Quote(schema);
        var (objects, pieces) = ($"{quoted}.opslog_objects", $"{quoted}.opslog_pieces");
        (Objects, Pieces) = (objects, pieces);
        CreateTables = $"""
            CREATE TABLE IF NOT EXISTS {objects} (
              store text COLLATE "C" NOT NULL,
              name text COLLATE "C" NOT NULL,
              id uuid NOT NULL,
              version uuid NOT NULL,
              length bigint NOT NULL,
              modified timestamptz NOT NULL,
              PRIMARY KEY (store, name)
            ) WITH (fillfactor = 70);
            CREATE TABLE IF NOT EXISTS {pieces} (
              object uuid NOT NULL,
              start bigint NOT NULL,
              version uuid NOT NULL,
              bytes bytea NOT NULL,
              PRIMARY KEY (object, start)
            );
            ALTER TABLE {pieces} ALTER COLUMN bytes SET STORAGE EXTERNAL;
            """;
        Stat = $"SELECT version, length FROM {objects} WHERE store = $1 AND name = $2";
        // From the piece that holds the first byte on; of each piece only what is asked for leaves the server. The order is made where the rows are still without
        // their bytes, and one object joined with its pieces keeps it: sorting outside, the server would collect all of a large object first.
        Read = $"""
            SELECT o.version, o.length, p.start, substring(p.bytes FROM least(greatest($3 - p.start, 0), 2147483646)::int + 1 FOR least($4 - greatest(p.start, $3), 2147483647)::int)
            FROM {objects} o
            LEFT JOIN LATERAL (
              SELECT a.start, a.bytes FROM {pieces} a
              WHERE a.object = o.id AND a.start < $4
                AND a.start >= (SELECT f.start FROM {pieces} f WHERE f.object = o.id AND f.start <= $3 ORDER BY f.start DESC LIMIT 1)
              ORDER BY a.start) p ON true
            WHERE o.store = $1 AND o.name = $2
            """;
        List = $"SELECT name, length, modified FROM {objects} WHERE store = $1 AND name >= $2 AND starts_with(name, $2) AND name > $3 ORDER BY name";
        Lock = $"SELECT 1 FROM {objects} WHERE store = $1 AND name = $2 FOR UPDATE";
        Insert = $"""
            WITH head AS (
              INSERT INTO {objects} (store, name, id, version, length, modified) VALUES ($1, $2, $3, $3, $4, now()) ON CONFLICT DO NOTHING RETURNING id),
            piece AS (INSERT INTO {pieces} (object, start, version, bytes) SELECT id, 0, $3, $5 FROM head WHERE $5 IS NOT NULL)
            SELECT count(*), {Synchronous} FROM head
            """;
        Replace = $"""
            WITH old AS (SELECT id FROM {objects} WHERE store = $1 AND name = $2 AND ($6 IS NULL OR version = $6)),
            head AS (
              UPDATE {objects} o SET id = $3, version = $3, length = $4, modified = now() FROM old WHERE o.store = $1 AND o.name = $2 AND o.id = old.id RETURNING old.id AS gone),
            gone AS (DELETE FROM {pieces} p USING head WHERE p.object = head.gone),
            piece AS (INSERT INTO {pieces} (object, start, version, bytes) SELECT $3, 0, $3, $5 FROM head WHERE $5 IS NOT NULL)
            SELECT count(*), {Synchronous} FROM head
            """;
        CopyPieces = $"COPY {pieces} (object, start, version, bytes) FROM STDIN (FORMAT BINARY)";
        Append = $"""
            WITH head AS (
              UPDATE {objects} SET version = $4, length = length + $5, modified = now() WHERE store = $1 AND name = $2 AND length = $3 RETURNING id),
            piece AS (INSERT INTO {pieces} (object, start, version, bytes) SELECT id, $3, $4, $6 FROM head)
            SELECT count(*), {Synchronous} FROM head
            """;
        AppendMore = $"INSERT INTO {pieces} (object, start, version, bytes) SELECT id, $3, $4, $5 FROM {objects} WHERE store = $1 AND name = $2 AND version = $4";
        WasPut = $"SELECT count(*) FROM {objects} WHERE store = $1 AND name = $2 AND id = $3";
        WasAppended = $"SELECT count(*) FROM {objects} o JOIN {pieces} p ON p.object = o.id WHERE o.store = $1 AND o.name = $2 AND p.start = $3 AND p.version = $4";
        Delete = $"""
            WITH head AS (DELETE FROM {objects} WHERE store = $1 AND name = $2 RETURNING id),
            gone AS (DELETE FROM {pieces} p USING head WHERE p.object = head.id)
            SELECT count(*), {Synchronous} FROM head
            """;
    }

    /// <summary>The tables' names; both are there or not; whether the server syncs.</summary>
    public const string Check = "SELECT to_regclass($1) IS NOT NULL AND to_regclass($2) IS NOT NULL, coalesce(current_setting('fsync', true), 'on')";

    /// <summary>Held while tables are made: two that make them at once would trip over each other.</summary>
    public const string LockTables = "SELECT pg_advisory_xact_lock(7165064744911531380)"; // "opslog t"

    /// <summary>A commit that writes nothing but its own record in the server's log: what the synchronous standby has once it has all before it.</summary>
    public const string Confirm = $"SELECT pg_logical_emit_message(true, 'opslog'::text, ''::text), {Synchronous}";

    /// <summary>channel</summary>
    public const string Notify = "SELECT pg_notify($1, '')";

    public string Objects { get; }

    public string Pieces { get; }

    public string CreateTables { get; }

    /// <summary>store, name</summary>
    public string Stat { get; }

    /// <summary>store, name, first byte, end</summary>
    public string Read { get; }

    /// <summary>store, prefix, after</summary>
    public string List { get; }

    /// <summary>store, name</summary>
    public string Lock { get; }

    /// <summary>store, name, id, length, bytes (null: they are there already)</summary>
    public string Insert { get; }

    /// <summary>store, name, id, length, bytes (null: they are there already), expected version (null: any)</summary>
    public string Replace { get; }

    public string CopyPieces { get; }

    /// <summary>store, name, expected length, version, length of all bytes, bytes</summary>
    public string Append { get; }

    /// <summary>store, name, start, version, bytes</summary>
    public string AppendMore { get; }

    /// <summary>store, name, id</summary>
    public string WasPut { get; }

    /// <summary>store, name, start, version</summary>
    public string WasAppended { get; }

    /// <summary>store, name</summary>
    public string Delete { get; }

    private static string Quote(string name) => "\"" + name.Replace("\"", "\"\"", StringComparison.Ordinal) + "\"";
}
