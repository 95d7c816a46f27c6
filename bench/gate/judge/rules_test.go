package judge

import (
	"strings"
	"testing"

	"lorabench/bench/results"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRules(t *testing.T) {
	rules := &Rules{}
	err := rules.Read("\ufeff# our rules\r\n\nsamples/sec floor=5% required # a comment\n"+
		"class:speed alpha=0.1% detect=0\n* floor=0.01\nsec-to-loss informational\nsec/op floor=7%\nfrob class=memory better=higher mode=test\nsamples/sec floor=6%\n", "gate.txt")
	require.NoError(t, err)
	require.NoError(t, rules.Read("peak-RSS-GB floor=10% judged", "-rule"))
	for _, c := range []struct {
		why, unit string
		class     Class
		exact     bool
		want      Rule
	}{
		{"the later line wins, key by key", "samples/sec", Speed, false, Rule{Floor: 0.06, Alpha: 0.001, Detect: 0, Mode: Auto, Need: Required, From: "gate.txt:9"}},
		{"no line of its own: the class's and *", "tokens/sec", Speed, false, Rule{Floor: 0.01, Alpha: 0.001, Detect: 0, Mode: Auto, Need: Judged, From: "gate.txt:5"}},
		{"a line of its own: not *", "sec-to-loss", Speed, false, Rule{Floor: 0.03, Alpha: 0.001, Detect: 0, Mode: Auto, Need: Informational, From: "gate.txt:6"}},
		{"another spelling of the unit", "ns/op", Speed, false, Rule{Floor: 0.07, Alpha: 0.001, Detect: 0, Mode: Auto, Need: Judged, From: "gate.txt:7"}},
		{"from the command line", "peak-RSS-GB", Memory, false, Rule{Floor: 0.1, Alpha: 0.01, Detect: 0.25, Mode: Auto, Need: Judged, From: "-rule:1"}},
		{"* holds for what is exact too", "loss", Loss, true, Rule{Floor: 0.01, Alpha: 0.01, Detect: 0.25, Mode: Auto, Need: Judged, From: "gate.txt:5"}},
		{"direction and mode", "frob", Memory, false, Rule{Better: "higher", Floor: 0.03, Alpha: 0.01, Detect: 0.25, Mode: "test", Need: Judged, From: "gate.txt:8"}},
	} {
		c.want.Unit, c.want.Class = c.unit, c.class
		assert.Equal(t, c.want, rules.For(c.unit, c.class, c.exact), c.why)
	}
	assert.Equal(t, Memory, rules.For("frob", Other, false).Class)
	assert.Equal(t, Required, rules.need("samples/sec"))
	for _, c := range []struct {
		why, unit string
		class     Class
		exact     bool
		floor     float64
		need      string
	}{
		{"speed", "samples/sec", Speed, false, 0.03, Judged},
		{"memory", "B/op", Memory, false, 0.03, Judged},
		{"a loss that is tested", "loss", Loss, false, 0.005, Judged},
		{"a loss that is exact", "loss", Loss, true, 0, Judged},
		{"a count", results.AdapterBytes, Count, true, 0, Judged},
		{"the norm of one step's gradient", "grad-norm", Other, false, 0.03, Informational},
	} {
		r := (&Rules{}).For(c.unit, c.class, c.exact)
		assert.Equal(t, Rule{Unit: c.unit, Class: c.class, Floor: c.floor, Alpha: 0.01, Detect: 0.25, Mode: Auto, Need: c.need, From: "default"}, r, c.why)
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	for _, c := range []struct{ why, line, text string }{
		{"no unit", "floor=3%", `gate.txt:2: "floor=3%" is no unit`},
		{"nothing said", "loss", "gate.txt:2: loss: nothing is said of it"},
		{"3 is not 3 %", "loss floor=3", `gate.txt:2: loss: "floor=3": want a percentage such as 3%`},
		{"no number", "loss floor=x", `"floor=x": want a percentage`},
		{"not a number", "loss floor=NaN", `"floor=NaN": want`},
		{"negative", "loss floor=-1%", `"floor=-1%": want`},
		{"infinite", "loss floor=Inf%", `want`},
		{"always significant", "loss alpha=50%", `"alpha=50%": want above 0 and below 0.5`},
		{"never significant", "loss alpha=0", `"alpha=0": want above 0`},
		{"no direction", "loss better=up", `"better=up": want one of higher, lower`},
		{"no class", "loss class=x", `"class=x": want one of loss, speed, memory, count, other`},
		{"no class to be for", "class:x floor=3%", "want class:loss, speed"},
		{"a class of a class", "class:loss class=speed", "cannot change it"},
		{"no mode", "loss mode=x", `"mode=x": want one of auto, test, exact`},
		{"no key", "loss flor=3%", `there is no key "flor", want one of floor, alpha, detect, better, class, mode`},
		{"no need", "loss optional", `"optional": is neither key=value nor one of required, judged, informational`},
		{"twice", "loss floor=3% floor=4%", "floor is given twice"},
		{"two needs", "loss required judged", "need is given twice"},
	} {
		err := new(Rules).Read("# a comment\n"+c.line+"\n", "gate.txt")
		assert.ErrorContains(t, err, c.text, c.why)
	}
	err := new(Rules).Read("a\nb floor=3%\nc\n", "gate.txt")
	assert.ErrorContains(t, err, "gate.txt:1")
	assert.ErrorContains(t, err, "gate.txt:3", "all errors are told")
	err = new(Rules).Read("loss floor=3%\nloss "+strings.Repeat("x", 1<<17), "gate.txt")
	assert.ErrorContains(t, err, "gate.txt:2")
}

func FuzzParseRules(f *testing.F) {
	f.Add("samples/sec floor=5% required\n* alpha=0.01 # x\nclass:loss mode=exact\nfrob class=memory better=higher detect=0")
	f.Add("\ufeffloss floor=NaN\r\n=")
	f.Fuzz(func(t *testing.T, text string) {
		rules := &Rules{}
		err := rules.Read(text, "gate.txt")
		if err != nil {
			assert.Contains(t, err.Error(), "gate.txt:")
			return
		}
		for _, unit := range []string{"loss", "ns/op", "frob"} {
			r := rules.For(unit, Other, false)
			assert.True(t, r.Floor >= 0 && r.Alpha > 0 && r.Alpha < 0.5 && r.Detect >= 0, "%+v", r)
		}
	})
}
