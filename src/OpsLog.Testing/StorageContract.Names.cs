using Xunit;

namespace OpsLog.Testing;

public abstract partial class StorageContract
{
    /// <summary>Names that a system may mistake for something else: devices, its own files, escapes, the longest.</summary>
    public static TheoryData<string> DifficultNames => new()
    {
        "con", "CON.txt", "nul", "aux.json", "com1", "archive/lpt9.json", "prn/x", "trailing.", "a/trailing./b", ".hidden", "..hidden", "...",
        "%2e%2e", "%2F", "a%00b", "~", "~1", "-rf", "-", "--", "=", "+", "a=b+c", "PROGRA~1", "desktop.ini", "thumbs.db", "__proto__",
        "x.lock", "manifest.json.lock", ".lock", ".x.0123456789abcdef.tmp", "x.tmp", "manifest.json.tmp", ".compact-lock",
        "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p", "archive/archive-2026-Q4.json", "0", "00", "1e3", "null",
    };

    /// <summary>K11: a difficult name is stored and listed as it is, or refused with a typed error; nothing else is touched.</summary>
    /// <param name="name">The name.</param>
    [Theory]
    [MemberData(nameof(DifficultNames))]
    public async Task K11_A_difficult_name_is_kept_as_it_is_or_refused(string name) => await KeptOrRefusedAsync(name);

    /// <summary>K11: long names are stored and listed as they are, or refused with a typed error.</summary>
    /// <param name="length">The length of one part, in characters.</param>
    [Theory]
    [InlineData(100)]
    [InlineData(200)]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(StorageKey.MaxLength)]
    public async Task K11_A_long_name_is_kept_as_it_is_or_refused(int length)
    {
        await KeptOrRefusedAsync(new string('n', length));
        await StoreAsync(Storage, "ops/" + new string('n', 150), [1]); // the engine's own names are shorter than this
    }

    /// <summary>K11: names that differ by case alone are different objects, or the second is refused; one never overwrites the other.</summary>
    [Fact]
    public async Task K11_Names_that_differ_by_case_alone_do_not_overwrite_each_other()
    {
        await StoreAsync(Storage, "archive/case", [1], PutCondition.IfAbsent);
        var stored = false;
        try
        {
            stored = (await PutAsync(Storage, "archive/CASE", [2], PutCondition.IfAbsent)).IsStored;
        }
        catch (StorageException)
        {
            // Refused: fine.
        }

        await HoldsAsync(Storage, "archive/case", [1]);
        if (stored) await HoldsAsync(Storage, "archive/CASE", [2]);
    }

    private async Task KeptOrRefusedAsync(string name)
    {
        await StoreAsync(Storage, "kept.json", [9]);
        try
        {
            await StoreAsync(Storage, name, [1, 2, 3], PutCondition.IfAbsent);
        }
        catch (StorageException e)
        {
            Assert.Equal(StorageFault.BadName, e.Fault);
            Assert.False(e.OutcomeUnknown);
            Assert.Equal(["kept.json"], await NamesAsync(Storage));
            return;
        }

        await HoldsAsync(await AnotherClientAsync(), name, [1, 2, 3]);
        Assert.Equal(((string[])["kept.json", name]).Order(StringComparer.Ordinal), (await NamesAsync(Storage)).Order(StringComparer.Ordinal));
        Assert.Equal([name], await NamesAsync(Storage, name));
        if (CanAppend)
        {
            Assert.True((await AppendAsync(Storage, name, [4], 3)).IsStored);
            await HoldsAsync(Storage, name, [1, 2, 3, 4]);
        }

        await Storage.DeleteAsync(Key(name), Token);
        Assert.Equal(["kept.json"], await NamesAsync(Storage));
        await HoldsAsync(Storage, "kept.json", [9]);
    }
}
