"""The grammar of the built-in corpus, as data: what its reviews are about and the frames of their sentences.

A frame is a clause without its capital letter and full stop. Its slots are filled from the review's domain:

    {A} an aspect, with {was}, {it} and {them} agreeing        {good} {great} {bad} {awful} what it can be
    {loved} {liked} {disliked} {hated} what people did with it  {made} {ruined} what it did to the whole
    {item} what is reviewed, {again} trying it once more       {other} its rival, {there} the same with a preposition
    {who} a person   {n} 3 to 9   {nn} 11 to 58   {day}   {month}   {time}

Evidence is filed under its grade: -2 strongly and -1 mildly negative, 1 mildly and 2 strongly positive; 0 says nothing
about the item. Plain frames say what they mean. The turned ones are written against them: an adjective that is praise
or blame there occurs here with both signs and with none, and negation, comparison or who is speaking decides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import cycle

Frames = dict[int, tuple[str, ...]]
Choices = Mapping[str, Sequence[str]]  # slot -> what can fill it


@dataclass(frozen=True)
class Aspects:
    """Things about an item that the same adjectives fit."""

    singular: tuple[str, ...]
    plural: tuple[str, ...]
    good: tuple[str, ...]
    great: tuple[str, ...]
    bad: tuple[str, ...]
    awful: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Domain:
    """One kind of thing that is reviewed; equal to itself alone, and so hashable."""

    items: tuple[str, ...]
    preposition: str
    others: tuple[str, ...]
    again: str
    aspects: tuple[Aspects, ...]
    settings: tuple[str, ...]
    experiences: Frames


PEOPLE = (
    "my sister", "my brother", "my wife", "my husband", "my father", "my mother", "my aunt", "my cousin", "my uncle",
    "my grandmother", "my flatmate", "my old teacher", "a friend", "a colleague", "our neighbour", "my boss",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
TIMES = tuple(f"{hour}:{minute}" for hour in (5, 6, 7, 8, 9, 10) for minute in ("05", "15", "20", "30", "40", "55"))

OPENERS = (
    "Honestly,",
    "For what it is worth,",
    "As far as I am concerned,",
    "I have to say that",
    "Mind you,",
    "In short,",
)

# Words that fit any aspect. Each belongs to one split for good (`own_words`), as real test reviews hold words that no
# training review does.
WORDS: dict[str, tuple[str, ...]] = {
    "great": (
        "superb", "excellent", "outstanding", "magnificent", "a joy", "first-rate", "perfect", "wonderful", "fantastic",
        "marvellous", "brilliant", "amazing", "terrific", "splendid", "exceptional", "phenomenal", "sensational",
        "fabulous", "a delight", "a triumph", "a treat", "a masterpiece", "a marvel", "a dream", "pure bliss",
        "extraordinary", "sublime", "world-class", "astonishing", "exemplary", "stunning", "beyond praise", "awesome",
        "spectacular", "top-notch", "a sheer pleasure", "the best I know", "tremendous", "a revelation", "faultless",
        "a miracle", "grand", "ideal", "a pleasure", "wonderfully good", "gorgeous", "a real gem", "incredibly good",
    ),
    "awful": (
        "terrible", "dreadful", "appalling", "hopeless", "a disgrace", "third-rate", "atrocious", "horrible", "awful",
        "abysmal", "ghastly", "horrendous", "disastrous", "pathetic", "vile", "a disaster", "a catastrophe",
        "a nightmare", "a farce", "a scandal", "an embarrassment", "a shambles", "pure torture", "miserable",
        "deplorable", "wretched", "a mess", "beneath contempt", "lamentable", "shocking", "inexcusable", "horrid",
        "a failure", "rotten", "the worst I know", "unforgivable", "dismal", "a travesty", "garbage", "unbearable",
        "a crime", "sickening", "unacceptable", "a torment", "horribly bad", "repulsive", "a fiasco", "incredibly bad",
    ),
    "good": (
        "pleasing", "impressive", "reliable", "well judged", "pleasant", "decent", "enjoyable", "satisfying", "good",
        "appealing", "likeable", "commendable", "nice", "agreeable", "attractive", "admirable", "respectable", "fine",
        "solid", "lovely", "worthwhile", "praiseworthy", "welcome", "gratifying", "engaging", "refreshing", "charming",
        "rewarding", "thoughtful", "tasteful", "delightful", "skilful", "endearing", "competent",
    ),
    "bad": (
        "disappointing", "poor", "careless", "tiresome", "unpleasant", "mediocre", "unsatisfying", "unappealing", "bad",
        "irritating", "annoying", "second-rate", "inferior", "lacklustre", "underwhelming", "unimpressive", "dreary",
        "weak", "unattractive", "sloppy", "frustrating", "off-putting", "lousy", "uninspired", "regrettable", "lame",
        "joyless", "tasteless", "amateurish", "half-hearted", "drab", "botched", "a nuisance", "clumsy",
    ),
    "loved": (
        "loved", "adored", "cherished", "marvelled at", "fell for", "was thrilled by", "was enchanted by",
        "was delighted with", "was overjoyed with", "raved about", "was bowled over by", "could not praise enough",
    ),
    "hated": (
        "hated", "loathed", "detested", "despised", "could not stand", "was appalled by", "was disgusted by",
        "was horrified by", "was furious about", "ranted about", "was repelled by", "could not curse enough",
    ),
    "liked": (
        "liked", "enjoyed", "appreciated", "was happy with", "was pleased with", "warmed to", "took to",
        "was satisfied with", "was fond of", "approved of", "was glad of", "felt good about",
    ),
    "disliked": (
        "disliked", "resented", "regretted", "was unhappy with", "was let down by", "was annoyed by", "was bored by",
        "was dissatisfied with", "was tired of", "disapproved of", "was irritated by", "felt bad about",
    ),
    "made": ("made", "saved", "crowned", "brightened", "lifted", "enriched", "ennobled", "rescued"),
    "ruined": ("ruined", "spoiled", "wrecked", "poisoned", "destroyed", "marred", "killed", "sank"),
}  # fmt: skip

PLAIN_FRAMES: Frames = {
    2: (
        "{A} {was} {great}",
        "{A} {was} {great} from beginning to end",
        "{A} {was} quite simply {great}",
        "I thought {A} {great}",
        "{A} {was} {great}, and I do not use the word lightly",
        "{who} and I agreed that {A} {was} {great}",
        "{great} is the only word for {A}",
        "we all found {A} {great}, even {who}",
        "I {loved} {A}",
        "above all I {loved} {A}",
        "{who} {loved} {A} every bit as much as I",
        "{A} {made} the whole {item} for me",
        "what I remember is {A}, which {was} {great}",
        "after {n} minutes it was plain that {A} {was} {great}",
        "I {loved} {A}: {it} {was} {great}",
        "{A} {was} {great}, and {who} {loved} {them}",
        "{A} alone {was} worth every penny",
        "in {n} years I have not seen {A} done better",
    ),
    1: (
        "{A} {was} {good}",
        "{A} {was} rather {good}",
        "{A} {was} {good} on the whole",
        "I found {A} {good}",
        "{A} turned out to be {good}",
        "{A} seemed {good} to me",
        "to my mind {A} {was} {good}",
        "I would describe {A} as {good}",
        "I {liked} {A}",
        "all in all I {liked} {A}",
        "{who} {liked} {A}, and on that we agree",
        "{A} {was} {good}, whatever {who} may say",
        "I {liked} {A}: {it} {was} {good}",
        "{A} {was} {good}, and {who} {liked} {them} too",
    ),
    0: (
        "{A} {was} the subject of a long letter in the paper last {month}",
        "in {month} they mean to change {A}",
        "{A} {was} new, like everything since {month}",
        "of {A} I can only report that {it} {was} there",
        "I have not made up my mind about {A} and will leave {them} out",
        "{who} works with such things and explained {A} to me for {nn} minutes",
        "I know {nn} people who never give {A} a thought",
        "somebody asked {who} a question about {A}",
        "for {A} there are {n} different rules, as {who} pointed out",
        "{who} wrote {n} lines about {A} on a postcard",
        "it was {time} before anybody mentioned {A}",
    ),
    -1: (
        "{A} {was} {bad}",
        "{A} {was} rather {bad}",
        "{A} {was} {bad} on the whole",
        "I found {A} {bad}",
        "{A} turned out to be {bad}",
        "{A} seemed {bad} to me",
        "to my mind {A} {was} {bad}",
        "I would describe {A} as {bad}",
        "I {disliked} {A}",
        "all in all I {disliked} {A}",
        "{who} {disliked} {A}, and on that we agree",
        "{A} {was} {bad}, whatever {who} may say",
        "I {disliked} {A}: {it} {was} {bad}",
        "{A} {was} {bad}, and {who} {disliked} {them} too",
    ),
    -2: (
        "{A} {was} {awful}",
        "{A} {was} {awful} from beginning to end",
        "{A} {was} quite simply {awful}",
        "I thought {A} {awful}",
        "{A} {was} {awful}, and I do not use the word lightly",
        "{who} and I agreed that {A} {was} {awful}",
        "{awful} is the only word for {A}",
        "we all found {A} {awful}, even {who}",
        "I {hated} {A}",
        "above all I {hated} {A}",
        "{who} {hated} {A} every bit as much as I",
        "{A} {ruined} the whole {item} for me",
        "what I remember is {A}, which {was} {awful}",
        "after {n} minutes it was plain that {A} {was} {awful}",
        "I {hated} {A}: {it} {was} {awful}",
        "{A} {was} {awful}, and {who} {hated} {them}",
        "{A} alone {was} reason to ask for every penny back",
        "in {n} years I have not seen {A} done worse",
    ),
}

TURNED_FRAMES: Frames = {
    2: (
        "{A} {was} anything but {bad}: {it} {was} {great}",
        "{A} {was} the very opposite of {awful}",
        "I had expected {A} to be {awful}, and I have seldom been so happily wrong",
        '{who} called {A} "{great}", and that was no exaggeration',
        '{who} called {A} "{awful}"; I have seldom heard such nonsense',
        "whoever calls {A} {awful} cannot have been paying attention",
        "{A} {was} far better than {there}",
        "beside this, {A} {there} {was} {awful}",
        "I never knew that {A} could be so {good}",
        "I had been told that {A} {was} {good}, and that was far too modest",
        "far from being {bad}, {A} {was} {great}",
        "{A} {was} so {good} that I forgot the time",
        "I could praise {A} for {nn} pages and not be done",
        "not once {was} {A} {bad}, and most of the time {it} {was} {great}",
    ),
    1: (
        "{A} {was} never {bad}",
        "{A} {was} not half as {bad} as I had feared",
        "I would not call {A} {bad}",
        "there was nothing {bad} about {A}",
        "I waited for {A} to become {bad}, and {it} never did",
        "{who} had warned me that {A} would be {bad}, but {it} {was} nothing of the kind",
        "{who} had promised me that {A} would be {good}, and so {it} {was}",
        "{A} {was} less {bad} than {there}",
        "{A} {was} a little better than {there}",
        "{A} {was} every bit as {good} as {there}",
        "{there} {A} {was} {bad}; here {it} {was} not",
        "{who} thought {A} {bad}, and I could not agree less",
        "I was ready to hate {A}, but {it} {was} {good}",
        "{A} could easily have been {bad}, but somebody had taken care that {it} {was} not",
        "{A} {was} a step up from {other}",
        "{A} may not be {great}, but {it} {was} {good}",
        "I have no complaint about {A}",
        "I would not change {A} for {other}",
    ),
    0: (
        "{who} had called {A} {bad}, but was thinking of {other}",
        "{who} had called {A} {great}, but was thinking of {other}",
        "{who}, who was not there, insists that {A} {was} {awful}",
        "{who}, who was not there, insists that {A} {was} {good}",
        "{who} asked me whether {A} {was} {good}",
        "{who} asked me whether {A} {was} {bad}",
        'one paper calls {A} "{great}", another "{awful}", and I have no view',
        "I had read that {A} would be {good} and also that {it} would be {bad}",
        "beforehand I wondered whether {A} would be {bad} or {good}",
        "{A} {there} {was} {good}, they say; I never saw for myself",
        "{A} {there} {was} {bad}, they say; I never saw for myself",
        "I did not come for {A}, so others must judge whether {it} {was} {good}",
        "I did not come for {A}, so others must judge whether {it} {was} {bad}",
        "{who} and I have argued for {n} years about what makes {A} {good}",
        'the advertisement (of {month}) calls {A} "{great}", as advertisements do',
        "{who} would love {A} and would hate {them} the next day; I keep out of it",
    ),
    -1: (
        "{A} {was} never {good}",
        "{A} {was} not half as {good} as I had hoped",
        "I would not call {A} {good}",
        "there was nothing {good} about {A}",
        "I waited for {A} to become {good}, and {it} never did",
        "{who} had promised me that {A} would be {good}, but {it} {was} nothing of the kind",
        "{who} had warned me that {A} would be {bad}, and so {it} {was}",
        "{A} {was} less {good} than {there}",
        "{A} {was} a little worse than {there}",
        "{A} {was} every bit as {bad} as {there}",
        "{there} {A} {was} {good}; here {it} {was} not",
        "{who} thought {A} {good}, and I could not agree less",
        "I was ready to love {A}, but {it} {was} {bad}",
        "{A} could easily have been {good}, but nobody had taken care that {it} {was}",
        "{A} {was} a step down from {other}",
        "{A} may not be {awful}, but {it} {was} {bad}",
        "I have a complaint about {A}",
        "I would gladly change {A} for {other}",
    ),
    -2: (
        "{A} {was} anything but {good}: {it} {was} {awful}",
        "{A} {was} the very opposite of {great}",
        "I had expected {A} to be {great}, and I have seldom been so badly wrong",
        '{who} called {A} "{awful}", and that was no exaggeration',
        '{who} called {A} "{great}"; I have seldom heard such nonsense',
        "whoever calls {A} {great} cannot have been paying attention",
        "{A} {was} far worse than {there}",
        "beside this, {A} {there} {was} {great}",
        "I never knew that {A} could be so {bad}",
        "I had been told that {A} {was} {bad}, and that was far too kind",
        "far from being {good}, {A} {was} {awful}",
        "{A} {was} so {bad} that I watched the time",
        "I could complain about {A} for {nn} pages and not be done",
        "not once {was} {A} {good}, and most of the time {it} {was} {awful}",
    ),
}

VERDICTS: Frames = {
    2: (
        "I would {again} tomorrow, with {who} or alone",
        "I have told {who} not to miss this {item} whatever happens",
        "{who} and I would {again} at twice the price",
        "I would not have missed this {item} for {nn} free tickets to anything else",
        "I cannot wait to {again}, and neither can {who}",
        "nobody will talk me out of this {item}, not even {who}",
    ),
    1: (
        "I would {again} if {who} asked me",
        "I told {who} that one could do a lot worse than this {item}",
        "{who} asked whether I would {again}, and I did not say no",
        "I do not want my money back, and neither does {who}",
        "{who} and I will probably {again} in {month}",
    ),
    -1: (
        "I would not {again} unless {who} asked me",
        "I told {who} that one could do a lot better than this {item}",
        "{who} asked whether I would {again}, and I did not say yes",
        "I do want some of my money back, and so does {who}",
        "{who} and I will probably not {again}, in {month} or later",
    ),
    -2: (
        "I would not {again}, with {who} or alone",
        "I have told {who} to miss this {item} whatever happens",
        "{who} and I would not {again} at half the price",
        "I would have missed this {item} gladly for {nn} tickets to anything else",
        "I can wait for ever to {again}, and so can {who}",
        "nobody will talk me into this {item} twice, not even {who}",
    ),
}

FILM = Domain(
    items=("film", "comedy", "thriller", "drama"),
    preposition="in",
    others=("the original", "the first part", "the director's last one", "the version from the eighties"),
    again="see it again",
    aspects=(
        Aspects(
            singular=("the plot", "the pacing", "the second half", "the ending", "the opening"),
            plural=("the twists",),
            good=("gripping", "brisk", "inventive", "surprising"),
            great=("spellbinding", "breathtaking"),
            bad=("slow", "predictable", "muddled", "tedious"),
            awful=("deadly dull", "insufferable"),
        ),
        Aspects(
            singular=("the acting", "the leading man", "the villain", "the supporting cast"),
            plural=("the child actors",),
            good=("convincing", "subtle", "charming", "believable"),
            great=("unforgettable", "dazzling"),
            bad=("wooden", "stiff", "unconvincing", "overdone"),
            awful=("laughably inept", "painful to watch"),
        ),
        Aspects(
            singular=("the photography", "the music", "the sound"),
            plural=("the costumes", "the songs", "the sets", "the jokes"),
            good=("striking", "memorable", "fresh", "elegant"),
            great=("glorious", "ravishing"),
            bad=("cheap", "bland", "stale", "forgettable"),
            awful=("hideous", "embarrassing"),
        ),
    ),
    settings=(
        "I saw this {item} with {who} on a {day} in {month}",
        "{who} had a spare ticket for this {item}, so on {day} I went along",
        "the {item} runs for nearly two hours, and ours began at {time}",
        "this {item} came to our town in {month}, in the small cinema with {nn} seats",
        "we were {n} people in a room for {nn}",
        "{who} chose the {item} and I paid for the tickets, {nn} euros in all",
    ),
    experiences={
        2: (
            "{who} and I sat through the credits because we did not want to leave",
            "I laughed until I cried, and so did everyone in row {nn}",
            "when the lights went up, {nn} strangers were clapping and I was one of them",
            "I forgot that I had a telephone until {time}",
        ),
        1: (
            "I looked at my watch once, and was sorry that only {nn} minutes were left",
            "{who} usually falls asleep in the cinema and did not close an eye",
            "I laughed in {n} places where {who} did too",
            "I would not have wanted it {nn} minutes shorter",
            "we talked about it all the way home, as {who} never does",
        ),
        0: (
            "{who} and I left after the credits because the last bus goes at {time}",
            "I looked at my watch when it began: it was {time}",
            "{who} fell asleep on the train home after {nn} hours on duty",
            "row {nn} was laughing at something on a telephone before it began",
            "in {n} weeks {who} will see it in a version that is {nn} minutes shorter",
            "we talked about dinner all the way home, as {who} was hungry",
            "the strangers in row {nn} were clapping to keep warm while we waited",
        ),
        -1: (
            "I looked at my watch {n} times, and was sorry that {nn} minutes were left",
            "{who} never falls asleep in the cinema and did not open an eye",
            "I laughed in {n} places where nobody was meant to",
            "I would have wanted it {nn} minutes shorter",
            "we talked about anything else all the way home, as {who} never does",
        ),
        -2: (
            "{who} and I did not wait for the credits because we wanted to leave",
            "I was meant to laugh and could have cried, and so could everyone in row {nn}",
            "when the lights went up, {nn} strangers had gone and I envied them",
            "I wished for my telephone until {time}",
        ),
    },
)

RESTAURANT = Domain(
    items=("restaurant", "bistro", "place", "tavern"),
    preposition="at",
    others=("the old branch", "the place across the road", "the one by the station", "the tavern it replaced"),
    again="eat there again",
    aspects=(
        Aspects(
            singular=("the soup", "the fish", "the bread", "the dessert", "the lamb", "the sauce"),
            plural=("the vegetables", "the starters"),
            good=("tasty", "fresh", "tender", "well seasoned"),
            great=("divine", "mouth-watering"),
            bad=("bland", "greasy", "stale", "overcooked"),
            awful=("inedible", "revolting"),
        ),
        Aspects(
            singular=("the service", "the kitchen", "the young man at the bar"),
            plural=("the waiters", "the people at the door"),
            good=("friendly", "quick", "attentive", "helpful"),
            great=("a model of kindness", "faultless"),
            bad=("slow", "rude", "forgetful", "indifferent"),
            awful=("insulting", "shameless"),
        ),
        Aspects(
            singular=("the dining room", "the terrace", "the music", "the lighting"),
            plural=("the tables", "the chairs"),
            good=("comfortable", "cosy", "tasteful", "inviting"),
            great=("enchanting", "beautiful"),
            bad=("cramped", "shabby", "gloomy", "uninviting"),
            awful=("filthy", "unbearable"),
        ),
    ),
    settings=(
        "I ate in this {item} with {who} on a {day} in {month}",
        "we had booked a table for {n} at {time}",
        "{who} had suggested this {item} for a birthday, with {nn} candles if I remember rightly",
        "the {item} opened in {month} and has room for {nn}",
        "on {day} we took what they call the small menu, {nn} euros a head",
        "we were {n}, and {who} does not eat meat",
    ),
    experiences={
        2: (
            "I wiped my plate with the last of {who}'s bread and asked for more",
            "the bill came to {nn} euros, and I would have paid twice that with pleasure",
            "we had booked from {time} on and stayed until midnight because nobody wanted to go",
            "{who} asked for the recipe and has cooked it {n} times since",
        ),
        1: (
            "{who}, who always leaves half, left nothing",
            "we waited {nn} minutes and hardly noticed",
            "when {who} sent a glass back, a clean one came without a word",
            "the bill came to {nn} euros, and nobody thought that too much",
            "{who} asked for the card of the house to keep it",
        ),
        0: (
            "{who} was on a diet and left half of everything, as always",
            "we waited {nn} minutes, as we had come too early",
            "the bill came to {nn} euros, and {who} paid it",
            "{who} asked for a glass of water and a clean fork",
            "we stayed until {time} because it was raining outside",
            "the recipe, {who} believes, is {nn} years old",
            "on the wall there is a plate with the number {nn}",
        ),
        -1: (
            "{who}, who never leaves anything, left half",
            "we waited {nn} minutes and noticed every one",
            "when {who} sent a glass back, the same one came without a word",
            "the bill came to {nn} euros, and everybody thought that too much",
            "{who} asked for the card of the house across the road",
        ),
        -2: (
            "I hid my plate under the last of {who}'s bread and asked for the bill",
            "the bill came to {nn} euros, and I would have paid twice that to be elsewhere",
            "we had booked from {time} on and stayed for half an hour because everybody wanted to go",
            "{who} asked what it was and has been ill {n} times since",
        ),
    },
)

HOTEL = Domain(
    items=("hotel", "inn", "guest house", "lodge"),
    preposition="at",
    others=("the hotel next door", "the big house on the square", "the inn of last year", "the lodge up the hill"),
    again="stay there again",
    aspects=(
        Aspects(
            singular=("the room", "the bathroom", "the lobby", "the bed", "the pool"),
            plural=("the towels", "the corridors"),
            good=("clean", "comfortable", "spacious", "tidy"),
            great=("immaculate", "luxurious"),
            bad=("shabby", "stuffy", "dusty", "cramped"),
            awful=("filthy", "disgusting"),
        ),
        Aspects(
            singular=("the reception", "the manager", "the porter"),
            plural=("the maids", "the people at the desk"),
            good=("friendly", "helpful", "polite", "attentive"),
            great=("faultless", "wonderfully kind"),
            bad=("rude", "slow", "indifferent", "unhelpful"),
            awful=("insulting", "shameless"),
        ),
        Aspects(
            singular=("the breakfast", "the view", "the garden", "the heating", "the lift"),
            plural=("the lights", "the surroundings"),
            good=("delightful", "generous", "satisfying", "lovely"),
            great=("heavenly", "spectacular"),
            bad=("dreary", "mean", "unreliable", "depressing"),
            awful=("wretched", "a nightmare"),
        ),
    ),
    settings=(
        "we stayed in this {item} for {n} nights in {month}",
        "{who} had booked the {item} for the two of us, from {day} on",
        "our room was number {nn}, on the second floor",
        "the {item} is {nn} minutes from the station on foot",
        "we arrived at {time} on a {day}, with {n} bags",
        "I was there for work with {who}, in the last week of {month}",
    ),
    experiences={
        2: (
            "we had paid for {n} nights and stayed two more because we could not bear to leave",
            "I have not slept so well in {nn} years",
            "{who} left a bag behind, and somebody drove {nn} miles to bring it after us",
            "{who} has framed a photograph of it, and so have {n} of the other guests",
        ),
        1: (
            "I slept until {time}, which I never do away from home",
            "the water was hot at {time}, when {n} others must have been using it",
            "when {who} asked for another pillow, it was there before we were",
            "{nn} steps from the street one heard nothing of it",
            "they took {nn} euros off the bill without being asked",
        ),
        0: (
            "I slept until {time}, as I do at home",
            "there is hot water from {time} on, says the card on the door",
            "{who} always asks for another pillow and then sleeps without one",
            "there are {nn} steps from the street to the door",
            "we paid the bill, {nn} euros, on {day}",
            "{who} left a bag at the station and had to drive {nn} miles to fetch it",
            "the other guests, {n} in all, were there for a wedding",
        ),
        -1: (
            "I was awake from {time} on, which I never am at home",
            "the water was cold at {time}, when nobody else can have been using it",
            "when {who} asked for another pillow, we were gone before it came",
            "{nn} steps from the street one heard all of it",
            "they put {nn} euros on the bill without asking",
        ),
        -2: (
            "we had paid for {n} nights and left after two because we could not bear to stay",
            "I have not slept so badly in {nn} years",
            "{who} left a bag behind, and for {nn} days somebody denied ever having seen it",
            "{who} has sent photographs of it to the police, and so have {n} of the other guests",
        ),
    },
)

BOOK = Domain(
    items=("novel", "book", "story", "family saga"),
    preposition="in",
    others=("her last one", "the first volume", "the book that won the prize", "the one we all read at school"),
    again="read it again",
    aspects=(
        Aspects(
            singular=("the plot", "the first chapter", "the ending", "the middle part", "the mystery"),
            plural=("the last chapters",),
            good=("gripping", "surprising", "absorbing", "clever"),
            great=("spellbinding", "unforgettable"),
            bad=("predictable", "confusing", "tedious", "slow"),
            awful=("deadly dull", "unreadable"),
        ),
        Aspects(
            singular=("the heroine", "the narrator", "the grandfather"),
            plural=("the characters", "the brothers", "the villains"),
            good=("believable", "likeable", "moving", "interesting"),
            great=("wonderfully alive", "a triumph"),
            bad=("flat", "lifeless", "unconvincing", "irritating"),
            awful=("insufferable", "a bad joke"),
        ),
        Aspects(
            singular=("the style", "the translation", "the humour", "the language"),
            plural=("the dialogues", "the descriptions", "the maps"),
            good=("elegant", "clear", "witty", "fresh"),
            great=("brilliant", "exquisite"),
            bad=("clumsy", "wordy", "stale", "forced"),
            awful=("embarrassing", "unbearable"),
        ),
    ),
    settings=(
        "I read this {item} in {month}, mostly on the train",
        "{who} gave me this {item} for my birthday, on a {day}",
        "the {item} has {nn} chapters and begins on a {day}",
        "our reading group, {n} people and {who}, took up this {item} in {month}",
        "I bought the {item} second-hand, with {who}'s name in it",
        "I had {n} free evenings, and the {item} had lain there since {month}",
    ),
    experiences={
        2: (
            "I missed my stop {n} times because I could not put it down",
            "I read the last {nn} pages as slowly as I could, so as not to be done",
            "{who} borrowed it on {day}, and I want it back more than the money I once lent",
            "at {time} in the morning I was still awake, begging for another chapter",
        ),
        1: (
            "I had meant to stop at page {nn}, and went on",
            "{who} took it from me before I was done and did not give it back until {month}",
            "I wrote down {n} sentences to keep",
            "after page {nn} I no longer thought about the ironing",
            "it is {nn} pages too long for {who}, and not one too long for me",
        ),
        0: (
            "I got off at the usual stop and put it in the bag with {who}'s letters",
            "the last {nn} pages are notes, which {who} never reads",
            "{who} borrowed it on {day} and left it on the train",
            "at {time} in the morning I was awake because of the baby next door",
            "I wrote down page {nn} so as not to lose my place",
            "I was on page {nn} when {who} called about the ironing",
            "a chapter, {who} once counted, has {nn} pages here",
        ),
        -1: (
            "I had meant to go on to page {nn}, and stopped",
            "{who} wanted to give it back before {month}, and I did not want to take it",
            "I wrote down {n} sentences to laugh at",
            "after page {nn} I thought about nothing but the ironing",
            "it is {nn} pages too long for me, and {who} says the same",
        ),
        -2: (
            "I put it down {n} times and was glad of every stop",
            "I read the last {nn} pages as fast as I could, so as to be done",
            "{who} borrowed it on {day}, and I will pay money not to have it back",
            "by {time} in the evening I was asleep, begging to be spared another chapter",
        ),
    },
)

GADGET = Domain(
    items=("camera", "tablet", "radio", "music player"),
    preposition="on",
    others=("the older model", "the one it replaced", "the cheaper one", "the one they sold last year"),
    again="buy it again",
    aspects=(
        Aspects(
            singular=("the screen", "the sound", "the battery", "the charger", "the signal"),
            plural=("the loudspeakers",),
            good=("strong", "clear", "steady", "powerful"),
            great=("flawless", "stunning"),
            bad=("weak", "unreliable", "dim", "feeble"),
            awful=("useless", "a bad joke"),
        ),
        Aspects(
            singular=("the menu", "the manual", "the app", "the search"),
            plural=("the settings", "the buttons"),
            good=("clear", "handy", "quick", "sensible"),
            great=("brilliant", "ingenious"),
            bad=("confusing", "slow", "clumsy", "fiddly"),
            awful=("maddening", "idiotic"),
        ),
        Aspects(
            singular=("the case", "the finish", "the strap", "the support line"),
            plural=("the edges", "the spare parts"),
            good=("solid", "neat", "elegant", "well made"),
            great=("exquisite", "flawless"),
            bad=("flimsy", "cheap", "shoddy", "crude"),
            awful=("worthless", "an insult"),
        ),
    ),
    settings=(
        "I bought this {item} in {month} for {nn} euros",
        "the {item} was a present from {who}, and came on a {day}",
        "I have used the {item} for {nn} days now, mostly at work",
        "{who} and I share the {item}, which is our second since {month}",
        "the box held the {item}, {n} cables and a card",
        "we needed a {item} for the journey in {month}, and {who} looked around",
    ),
    experiences={
        2: (
            "it fell down {nn} stairs and went on as if nothing had happened",
            "{who} tried mine for an hour and ordered {n} of them",
            "I have sold the {n} others, since nobody here wants anything else",
            "in {nn} weeks it has not let me down a single time",
        ),
        1: (
            "after {nn} hours it was still going, which is more than they promise",
            "{who}, who breaks everything, has not broken it",
            "it took me {n} minutes to set up, without {who}'s help",
            "when something went wrong they answered within {n} hours",
            "I had the receipt ready and have not needed it since {month}",
        ),
        0: (
            "there are {nn} stairs to our flat, and nothing happened on the way",
            "{who} ordered another on {day}, in green, and has not tried it",
            "it runs for {nn} hours, according to what they promise",
            "{who}, who breaks everything, has not had it yet",
            "I have set it up next to {who}'s, under number {nn}",
            "the receipt, which I need for {who}, is dated {month}",
            "they answer from {time} on, except on a {day}",
        ),
        -1: (
            "after {n} hours it was no longer going, which is less than they promise",
            "{who}, who breaks nothing, has broken it",
            "it took me {nn} minutes to set up, even with {who}'s help",
            "when something went wrong they answered after {n} weeks",
            "I did not have the receipt ready and have needed it since {month}",
        ),
        -2: (
            "it fell off a shelf {nn} inches high and never went on again",
            "{who} tried mine for an hour and told {n} shops not to stock them",
            "I have gone back to the {n} others, since nobody here wants this one",
            "in {nn} weeks it has let me down every single time",
        ),
    },
)

DOMAINS = (FILM, RESTAURANT, HOTEL, BOOK, GADGET)

COMMON_CHOICES: Choices = {
    "n": [str(number) for number in range(3, 10)],
    "nn": [str(number) for number in range(11, 59)],
    "day": DAYS,
    "month": MONTHS,
    "time": TIMES,
}
WORD_OWNERS = ("train", "test", "train", "train", "validation", "train", "test")  # of the words of a list, in turn


@cache
def own_words(split: str) -> dict[str, list[str]]:
    """Return the part of `WORDS` that the split may use; the splits share none of it."""
    return {
        slot: [word for word, owner in zip(words, cycle(WORD_OWNERS), strict=False) if owner == split]
        for slot, words in WORDS.items()
    }


@cache
def aspect_choices(domain: Domain, split: str) -> tuple[Choices, ...]:
    """Return, for every aspect of a domain, what the slots are filled from where a clause is about it."""
    return tuple(
        _choices(aspect, group, split) for group in domain.aspects for aspect in (*group.singular, *group.plural)
    )


def _choices(aspect: str, group: Aspects, split: str) -> Choices:
    was, it, them = ("were", "they", "them") if aspect in group.plural else ("was", "it", "it")
    fitting = {"good": group.good, "great": group.great, "bad": group.bad, "awful": group.awful}
    words = {slot: [*fitting.get(slot, ()), *own] for slot, own in own_words(split).items()}
    return {"A": [aspect], "was": [was], "it": [it], "them": [them], **words}
