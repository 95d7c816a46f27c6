package report

import (
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"lorabench/bench/format"
	"lorabench/bench/record"
	"lorabench/bench/table"
)

// fills are the categories' colours. Neighbours differ in lightness too, for those who do not see the colour.
var fills = map[string]color.NRGBA{
	record.Weights:     {0x00, 0x72, 0xB2, 0xFF},
	record.Adapter:     {0xE6, 0x9F, 0x00, 0xFF},
	record.Gradients:   {0x8A, 0x3C, 0x00, 0xFF},
	record.Optimizer:   {0x6F, 0xD6, 0xB5, 0xFF},
	record.Activations: {0x00, 0x5F, 0x73, 0xFF},
	record.Head:        {0xF0, 0xE4, 0x42, 0xFF},
	record.Workspace:   {0xA8, 0x50, 0x80, 0xFF},
	record.Process:     {0xC4, 0xC4, 0xC4, 0xFF},
	record.Slack:       {0x70, 0x70, 0x70, 0xFF},
}

// memoryFigure draws memory by category, two bars for each arm: as predicted and as measured. What is predicted comes first,
// so that the two can be compared. There is none where nothing was measured.
func memoryFigure(arms []*table.Arm) []*figure {
	known, unknown := categories(arms)
	unknown = slices.DeleteFunc(unknown, func(n string) bool { return n == record.Process })
	shown := sizes(arms)
	f := newFigure("memory-bars", "Memory at the peak by category", "GiB", "")
	rows := 2 * len(shown) // the first arm's are the highest
	names, said := make([]string, rows), make([][]string, rows)
	var below *plotter.BarChart
	for _, n := range slices.Concat(known, unknown) {
		bar := &plotter.BarChart{Values: make(plotter.Values, rows), Width: 13, Horizontal: true, Color: fills[n]}
		if fills[n].A == 0 { // a category of another version
			bar.Color = color.NRGBA{0xEE, 0xEE, 0xEE, 0xFF}
		}
		for i, a := range shown {
			for j, of := range []which{predicted, measured} {
				row := rows - 1 - 2*i - j
				names[row] = a.Label + []string{", predicted", ", measured"}[j]
				if v := bytesOf(a, of, n); v > 0 {
					bar.Values[row] = v / record.GiB
					said[row] = append(said[row], n+" "+format.Bytes(v))
				}
			}
		}
		if slices.Max(bar.Values) == 0 {
			continue
		}
		if below != nil {
			bar.StackOn(below)
		}
		below = bar
		f.Add(bar)
		f.keyed(n, bar)
	}
	if below == nil {
		return nil
	}
	f.Desc = "Bars."
	for row := rows - 1; row >= 0; row-- {
		f.Desc += " " + names[row] + ": " + strings.Join(said[row], ", ") + "."
	}
	f.NominalY(names...)
	f.X.Min, f.Y.Min, f.Y.Max = 0, -0.6, float64(rows)-0.4
	f.grid.Horizontal.Width = 0
	f.height = 20*vg.Length(rows) + 70
	f.Caption = "Medians over seeds, without the process itself, parts in the key's order. Predictions are made from the configuration."
	if len(unknown) > 0 {
		f.Caption += " Not predicted: " + format.List(unknown) + "."
	}
	return []*figure{f}
}
