"""Names and nouns that fill the slots. All invented or everyday words; nothing comes from a data set."""

PEOPLE = "Ada Ben Cleo Dan Eva Finn Gus Hana Ivan June Kai Lena Mara Nils Olga Rosa Sam Tara Vera Wim".split()

# Plural nouns: tables of a database, and what people own or count. SINGULAR gives the class name.
TABLES = "orders users books movies songs cities teams games trips rooms plants tools notes parcels courses tickets".split()

SINGULAR = {"cities": "city", "movies": "movie", "games": "game", "courses": "course"}

NUMBER_COLUMNS = "price age score year weight height rating stock size level speed".split()
TEXT_COLUMNS = "name city color country title status owner code".split()
TEXT_VALUES = "red blue green open new old north south gold gray".split()

# What a list of numbers or a parameter may be called.
NUMBER_LISTS = "prices ages scores weights heights ratings sizes levels speeds points marks costs".split()
WORD_LISTS = "names cities colors titles words tags".split()
STRINGS = "text name title word line code".split()

WORDS = ("lamp river stone cloud apple bread chair door field garden market paper rope salt table window candle desk lemon "
         "mirror spoon tiger wagon drum hat iron moon nest axe kite jar pen").split()

FOLDERS = "photos music docs src tests build data logs".split()
FILES = "notes.txt data.csv main.py app.js index.html style.css".split()
BRANCHES = "main dev feature hotfix release".split()


def singular(noun):
    return SINGULAR.get(noun, noun[:-1])
