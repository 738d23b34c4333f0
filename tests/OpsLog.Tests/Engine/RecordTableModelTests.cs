using System.Text;
using CsCheck;
using OpsLog.Engine;
using Xunit;

namespace OpsLog.Tests.Engine;

// Goal: the table is a dictionary from id to (location, document), whatever the order of calls, and its views are copies of it.
// Method: random programs, run against a Dictionary, over few ids (so that they meet) of every kind, with hashes both good and equal.
public sealed class RecordTableModelTests
{
    private const string EqualHash = "AAAAAAAA";

    // With these keys all ids of up to 16 bytes that begin with "AAAAAAAA" have the same hash, and so has every longer one whose blocks do.
    private static readonly RecordHash s_colliding = new(BitConverter.ToUInt64(Encoding.ASCII.GetBytes(EqualHash)), 0x0123456789ABCDEF);

    private static readonly string[] s_odd =
        ["", "\0", "a", "a\0", "a\0b", "\ud800", "\udc00x", "é", "日本語日本", "日本語日本語", "😀", new string('x', 4096)];

    private static readonly Gen<string> s_id = Gen.Frequency(
        (4, Gen.Int[0, 400].Select(n => $"task-{n}")),
        (2, Gen.Int[0, 200].Select(n => EqualHash + n)),
        (1, Gen.Int[0, 100].Select(n => $"{n:D8}-0000-4000-8000-000000000000")),
        (1, Gen.String[0, 20]),
        (1, Gen.Int[0, s_odd.Length - 1].Select(n => s_odd[n])));

    private static readonly Gen<(int Kind, string Id, int Value)> s_step =
        Gen.Select(
            Gen.Frequency(
                (100, Gen.Const(0)), (20, Gen.Const(1)), (30, Gen.Const(2)), (40, Gen.Const(3)), (20, Gen.Const(4)), (1, Gen.Const(5))),
            s_id,
            Gen.Int[0, 1_000_000]);

    [Fact]
    public void It_does_what_a_dictionary_does_with_any_hash() =>
        Gen.Select(s_step.List[0, 2000], Gen.Bool, Gen.Int[0, 3000]).Sample(
            (steps, colliding, presize) => new Program(colliding ? new RecordTable(s_colliding) : new RecordTable(42), presize).Run(steps),
            iter: 60);

    private sealed class Program
    {
        private readonly RecordTable _table;
        private readonly Dictionary<string, (RecordLocation Location, object? Value)> _model = new(StringComparer.Ordinal);
        private readonly List<(RecordTableView View, Dictionary<string, (RecordLocation Location, object? Value)> Model)> _views = [];
        private readonly HashSet<string> _ids = new(StringComparer.Ordinal);
        private long _clock;

        public Program(RecordTable table, int presize)
        {
            _table = table;
            _table.Presize(presize);
        }

        public void Run(List<(int Kind, string Id, int Value)> steps)
        {
            foreach ((int kind, string id, int value) in steps)
            {
                _ids.Add(id);
                Step(kind, id, value);
                CheckOne(id);
            }

            CheckAll();
            foreach (var (view, model) in _views)
                CheckView(view, model);
        }

        private void Step(int kind, string id, int value)
        {
            byte[] bytes = RecordTableTests.Wtf8(id);
            switch (kind)
            {
                case 0 or 1:
                    RecordLocation location = RecordLocation.Create(value % 100, ++_clock, value, tombstone: kind == 1);
                    _table.Set(bytes, location);
                    _model[id] = (location, null);
                    break;
                case 2:
                    _table.Remove(bytes);
                    _model.Remove(id);
                    break;
                case 3 when _table.TryGet(id, out RecordLocation seen, out object? had, out RecordHandle handle):
                    object kept = _table.TryCache(handle, seen, value.ToString());
                    Assert.True(had is null || ReferenceEquals(had, kept));
                    _model[id] = (seen, seen.IsLive ? kept : null);
                    break;
                case 4 when _model.TryGetValue(id, out var old):
                    RecordLocation to = RecordLocation.Create(7, ++_clock, 0, old.Location.IsTombstone);
                    Assert.True(_table.Repoint(bytes, old.Location, to));
                    Assert.False(_table.Repoint(bytes, old.Location, to));
                    _model[id] = (to, old.Value);
                    break;
                case 5:
                    if (_views.Count < 8)
                        _views.Add((_table.View(), new(_model, StringComparer.Ordinal)));
                    break;
                default:
                    break;
            }
        }

        private void CheckOne(string id)
        {
            bool there = _model.TryGetValue(id, out var expected);
            Assert.Equal(there, _table.TryGet(id, out RecordLocation location, out object? value, out RecordHandle handle));
            Assert.Equal(there, _table.TryGet(RecordTableTests.Wtf8(id), out RecordLocation again, out object? same, out _));
            object? fast = _table.TryGetValueFast(id, out _, out bool found);
            Assert.Equal(there && expected.Location.IsLive, found);
            if (!there)
                return;
            Assert.Equal((expected.Location, expected.Location), (location, again));
            Assert.True(ReferenceEquals(expected.Value, value) && ReferenceEquals(value, same) && ReferenceEquals(fast, value));
            Assert.Equal(id, handle.IdText());
        }

        private void CheckAll()
        {
            foreach (string id in _ids)
                CheckOne(id);
            Assert.Equal(_model.Values.Count(r => r.Location.IsLive), _table.Count);
            Assert.Equal(_model.Values.Count(r => r.Location.IsTombstone), _table.Tombstones);
            CheckEntries(_table.GetEnumerator(), _model, tombstones: false, values: true);
            CheckEntries(_table.WithTombstones(), _model, tombstones: true, values: true);
        }

        private void CheckView(RecordTableView view, Dictionary<string, (RecordLocation Location, object? Value)> model)
        {
            Assert.Equal(model.Values.Count(r => r.Location.IsLive), view.Count);
            Assert.Equal(model.Values.Count(r => r.Location.IsTombstone), view.Tombstones);
            CheckEntries(view.GetEnumerator(), model, tombstones: false, values: false);
            CheckEntries(view.WithTombstones(), model, tombstones: true, values: false);
            foreach (string id in _ids)
            {
                bool there = model.TryGetValue(id, out var expected);
                Assert.Equal(there, view.TryGet(id, out RecordLocation location, out _, out _));
                Assert.Equal(there, view.TryGet(RecordTableTests.Wtf8(id), out RecordLocation again, out _, out _));
                Assert.Equal((expected.Location, expected.Location), (location, again));
            }
        }

        private static void CheckEntries(
            RecordEnumerator entries, Dictionary<string, (RecordLocation Location, object? Value)> model, bool tombstones, bool values)
        {
            HashSet<string> seen = new(StringComparer.Ordinal);
            foreach (RecordEntry entry in entries)
            {
                string id = entry.Handle.IdText();
                Assert.True(seen.Add(id), "A record was shown twice.");
                Assert.Equal(model[id].Location, entry.Location);
                if (values)
                    Assert.Same(model[id].Value, entry.Value);
            }

            Assert.Equal(model.Values.Count(r => tombstones || r.Location.IsLive), seen.Count);
        }
    }
}
