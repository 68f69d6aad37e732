"""Words of many languages, after the encodings they were written in before UTF-8."""

_WORDS = """
pl: cp1250 iso8859_2 cp852
Łódź Kraków Gdańsk Poznań Wrocław Białystok Częstochowa Toruń Żywiec Świnoujście zamówienie ilość cena płatność
miesiąc styczeń październik grudzień usługa żarówka ręcznik książka Małgorzata Wiśniewski Zieliński

cs: cp1250 iso8859_2
Plzeň Brno Liberec Olomouc České Budějovice Hradec Králové Ústí Děčín množství objednávka zákazník měsíc říjen září
květen účet přepážka žárovka příjem Jiří Dvořák Procházková Němec Růžička

sk: cp1250 iso8859_2
Košice Prešov Žilina Banská Bystrica Nitra Trnava Trenčín množstvo objednávka zákazník mesiac október účet príjem
žiarovka ľahký Ľubomír Novák Kováčová Horváth

hu: cp1250 iso8859_2
Győr Székesfehérvár Kecskemét Nyíregyháza Szombathely Érd Hódmezővásárhely mennyiség vevő rendelés összeg hónap
szeptember október január február március fűtés gyümölcs tőke László Szűcs Erdős

hr: cp1250 iso8859_2
Šibenik Čakovec Poreč Županja Đakovo Varaždin Rijeka Zadar količina narudžba račun mjesec siječanj ožujak lipanj
srpanj rujan kolač žarulja šećer Ivančić Marković Đurić

ro: cp1250 iso8859_2
Bucureşti Timişoara Iaşi Constanţa Braşov Ploieşti Brăila Galaţi cantitate preţ lună plată comandă factură înălţime
mărime Ştefan Ionuţ Mureşan

tr: cp1254 iso8859_9
İstanbul İzmir Eskişehir Diyarbakır Şanlıurfa Muğla Kütahya Ağrı Iğdır müşteri sipariş ürün fiyatı miktarı ocak
şubat ağustos kasım aralık çalışan ödeme Yılmaz Öztürk Şahin Çelik Doğan

ru: cp1251 koi8_r iso8859_5 cp866 mac_cyrillic
Москва Казань Новосибирск Екатеринбург Самара Омск количество цена заказ клиент месяц январь февраль март товар
услуга сумма Иванов Петрова Сидоров

uk: cp1251 koi8_u
Київ Львів Харків Одеса Дніпро Запоріжжя Чернівці Івано Франківськ кількість ціна замовлення клієнт місяць січень
лютий березень послуга сума Шевченко Коваленко

bg: cp1251 iso8859_5
София Пловдив Варна Бургас Русе Стара Загора Плевен количество цена поръчка клиент месец януари февруари март стока
услуга сума Иванов Петрова

sr: cp1251
Београд Нови Сад Ниш Крагујевац Суботица Чачак количина цена поруџбина муштерија месец јануар фебруар март роба
услуга износ Јовановић Петровић

el: cp1253 iso8859_7
Αθήνα Θεσσαλονίκη Πάτρα Ηράκλειο Λάρισα Βόλος ποσότητα τιμή παραγγελία πελάτης μήνας Ιανουάριος Φεβρουάριος Μάρτιος
προϊόν υπηρεσία σύνολο Παπαδόπουλος

lt: cp1257 iso8859_13
Šiauliai Klaipėda Panevėžys Mažeikiai Kėdainiai Telšiai kiekis užsakymas pirkėjas mėnuo sausis gegužė rugsėjis
sąskaita prekė žemė šviesa Jonė Žukauskas Petrauskaitė

lv: cp1257 iso8859_13
Rīga Liepāja Jelgava Jūrmala Ventspils Rēzekne Jēkabpils daudzums pasūtījums klients mēnesis janvāris jūlijs rēķins
cena ķirši ģimene Bērziņš Kalniņš Ozoliņa

de: cp1252 iso8859_1 iso8859_15
München Köln Düsseldorf Nürnberg Lübeck Göttingen Größe Menge Straße Grün Käufer Jänner März Gebühr Überweisung Öl
Übung Müller Schäfer Groß

fr: cp1252 iso8859_1
Évreux Besançon Orléans Nîmes Saint-Étienne quantité prénom numéro février août décembre référence société élève
reçu dépôt à où François Hélène Lefèvre

es: cp1252 iso8859_1
Málaga Córdoba Cádiz León Logroño Coruña año número descripción teléfono código categoría señor niño José Núñez
Ibáñez Peña

pt: cp1252 iso8859_1
São Paulo Brasília Goiânia Florianópolis Maceió descrição preço código não março período região João Conceição
Araújo Gonçalves

sv: cp1252 iso8859_1
Malmö Göteborg Västerås Örebro Norrköping Jönköping Luleå Umeå Gävle kvantitet år försäljning kund färg storlek Åke
Öberg Sjögren Lindström

da: cp1252 iso8859_1
København Ålborg Århus Næstved Køge Sønderborg Helsingør antal beløb måned kunde størrelse påske Jørgen Søren
Sørensen

fi: cp1252 iso8859_1
Jyväskylä Hämeenlinna Seinäjoki Järvenpää määrä tilaus päivä yhteensä hinta kesäkuu Mäkinen Virtanen Hämäläinen
Järvinen

is: cp1252 iso8859_1
Reykjavík Kópavogur Hafnarfjörður Akureyri Ísafjörður Þórshöfn magn verð mánuður janúar apríl ágúst Guðmundur Þórður
Sigurðsson

it: cp1252 iso8859_1
Città quantità perché già Forlì Cefalù martedì venerdì lunedì Roma Milano Torino Napoli attività proprietà

no: cp1252 iso8859_1
Tromsø Bodø Ålesund Tønsberg Sandefjord Hønefoss beløp måned kjøp antall påske Bjørn Håkon Øystein

he: cp1255
ירושלים חיפה אשדוד נתניה כמות מחיר הזמנה לקוח חודש

ar: cp1256
القاهرة دبي الرياض جدة عمان بيروت الكمية السعر الطلب العميل الشهر المدينة

th: cp874
กรุงเทพ เชียงใหม่ ภูเก็ต ขอนแก่น จำนวน ราคา ลูกค้า เดือน มกราคม

ja: cp932 euc_jp
東京 大阪 京都 名古屋 札幌 数量 価格 注文 顧客 月 カメラ サービス

zh: gb18030
北京 上海 广州 深圳 数量 价格 订单 客户 月份 产品 服务

ko: cp949
서울 부산 인천 대구 수량 가격 주문 고객

zt: big5
臺北 高雄 臺中 數量 價格 訂單 客戶 月份 產品 服務
"""
WORDS = {head: words.split() for head, _, words in (part.partition("\n") for part in _WORDS.strip().split("\n\n"))}
"""By language and encodings: "pl: cp1250 iso8859_2"."""

WESTERN = (
    "name,city\nJosé,Málaga\nHélène,Nîmes\nJürgen,Köln\nSøren,København\nÅsa,Göteborg\nJoão,São Paulo\n",
    "city,n\nMünchen,1\nMálaga,2\nNîmes,3\n",
    "city\nMünchen\nKöln\nDüsseldorf\nÉvreux\nBesançon\nMálaga\nA€\nm²\nGröße\n",
    "Straße;Größe\nMüller;12 m²\nGroß;13 m²\n",
    "nom;prix €\nHélène;12 €\nZoé;9 €\n",
    "ville\nOrléans\nBesançon\nNîmes\nÉvreux\nSète\nMâcon\nAngoulême\nZürich\nGenève\nKöln\n",
    "kund;ort\nÅke Öberg;Malmö\nJürgen Groß;Köln\nRené Müller;Zürich\nPeña;Cádiz\n",
    "caffè;perché\nMonicelli;città\nForlì;già\n",
    "description\n“quoted” – it’s 5 € each\n‘ok’ … fine\n",
    "a;b\nNaïve café résumé;1\n",
    "name\nO’Brien\nD’Arcy\nCafé – Bar\n",
    "©2024 Company™;®\n",
    "Ærø;Læsø;Fanø\nÅbenrå;Rønne;Tårnby\n",
    "Zoë\nChloë\nNoël\nBrontë\nAndré\n",
)
"""Tables of no one language, and of signs."""
