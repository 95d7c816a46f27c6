package data
import ("testing";"context";"strings";"os";"encoding/json";"time";"fmt"
tiktoken "github.com/pkoukk/tiktoken-go")
func BenchmarkReal(b *testing.B){ tok,_:=LoadTokenizer(shared(b,"data")); set,_:=Load(context.Background(),shared(b,"data/code_alpaca_20k.json.gz")); n:=0
for b.Loop(){ for _,r:=range set.Records[:4000]{ n+=len(tok.Encode(Reported.Text(r)))}}
b.ReportMetric(float64(n)/b.Elapsed().Seconds(),"tok/s")}
func tk(b testing.TB) *tiktoken.Tiktoken {
 raw,_:=os.ReadFile(shared(b,"data/gpt2-merges.txt")); var vocab map[string]int; v,_:=os.ReadFile(shared(b,"data/gpt2-vocab.json")); json.Unmarshal(v,&vocab)
 ranks:=map[string]int{}; n:=0
 for i:=range 256{ ranks[string([]byte{byte(i)})]=n;n++}
 for _,l:=range strings.Split(string(raw),"\n")[1:]{ if l==""{continue}; p:=strings.Split(l," "); s,_:=bytesOf(p[0]+p[1]); ranks[s]=n;n++}
 c,err:=tiktoken.NewCoreBPE(ranks,map[string]int{},`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`); if err!=nil{b.Fatal(err)}
 return tiktoken.NewTiktoken(c,&tiktoken.Encoding{Name:"x"},map[string]any{})}
func BenchmarkTik(b *testing.B){ t:=tk(b); set,_:=Load(context.Background(),shared(b,"data/code_alpaca_20k.json.gz")); n:=0
for b.Loop(){ for _,r:=range set.Records[:1000]{ n+=len(t.EncodeOrdinary(Reported.Text(r)))}}
b.ReportMetric(float64(n)/b.Elapsed().Seconds(),"tok/s")}
func TestTikLong(t *testing.T){ k:=tk(t); tok,_:=LoadTokenizer(shared(t,"data")); for _,n:=range []int{1000,10000,40000}{ s:=strings.Repeat("ab",n/2); a:=time.Now(); k.EncodeOrdinary(s); d:=time.Since(a); a=time.Now(); tok.Encode(s); fmt.Println(n,d,time.Since(a))}}
func TestLoadTime(t *testing.T){ for range 3 {a:=time.Now(); LoadTokenizer(shared(t,"data")); d:=time.Since(a); a=time.Now(); s,_:=Load(context.Background(),shared(t,"data/code_alpaca_20k.json.gz")); e:=time.Since(a); tok,_:=LoadTokenizer(shared(t,"data"));a=time.Now(); Reported.Encode(tok,s.Records,1024); fmt.Println(d,e,time.Since(a))}}
